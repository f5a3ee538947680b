"""``yichu export``: the evidence bundle of a claim, for ``yichu-verify``."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import click


@click.command(name="export", help="导出一笔申请的证据包 / export a claim's evidence bundle.")
@click.argument("claim")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="写到哪个文件 / file to write",
)
def command(claim: str, output: Path) -> None:
    """CLAIM is the claim number (受理号), with or without blanks."""
    from backend.bootstrap import build_services
    from backend.service_layer.evidence.collect import export_claim

    number = claim.replace(" ", "")
    bundle = export_claim(build_services(), number, policy_text)
    text = json.dumps(bundle, ensure_ascii=False, indent=1) + "\n"
    # The bundle opens a person's bill: a new file is for its owner. Path.open takes no opener.
    with open(output, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    click.echo(f"已导出 {number} -> {output} / exported")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def policy_text(policy_hash: bytes) -> str | None:
    """The canonical text of the shipped policy pack with this hash."""
    from backend.adapters.catalogue import POLICY_DIRECTORY
    from backend.adapters.policy_packs import pack_document

    for path in sorted(POLICY_DIRECTORY.glob("*.json")):
        document = pack_document(path)
        if hashlib.sha256(document).digest() == policy_hash:
            return document.decode()
    return None
