"""The commands that the documents show, run as they stand, against a running system."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.database import tables
from tests.e2e.auditor import VERIFIED, Auditor
from tests.e2e.processes import ROOT, wait_for
from tests.e2e.system import System

pytestmark = pytest.mark.slow  # a system of its own

FIRST_LINE = "H=var/sample/hospitals/H33080200001"


def hospital_commands(document: str) -> str | None:
    """The block of shell lines that begins with the hospital's folder."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if block.startswith(FIRST_LINE)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def checkout(loaded: System, tmp_path: Path) -> Path:
    """A folder that looks like the project's after ``make run``, on this system's var/."""
    for name in ("backend", "scripts", "verifier"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "var").symlink_to(loaded.settings.var_dir)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def run_lines(system: System, folder: Path, lines: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("YICHU_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        env=environment | {"YICHU_AGENT_URL": system.base_url},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_readme_hospital_commands(loaded: System, checkout: Path) -> None:
    shown = hospital_commands((ROOT / "docs/api.md").read_text("utf-8"))
    assert shown is not None
    readme = hospital_commands((ROOT / "README.md").read_text("utf-8"))
    assert readme in (None, shown), "README and docs/api.md show different commands"

    out = run_lines(loaded, checkout, shown)

    invoice_id = re.search(r"\bbill\.xml\t(inv_\w+)\t已保存 / stored$", out, re.MULTILINE)
    tx_hash = re.search(r"^([0-9a-f]{64})\t已签名 / signed$", out, re.MULTILINE)
    assert invoice_id is not None and tx_hash is not None, out
    agent = loaded.agents["H33080200001"]
    wait_for(
        "the anchor to be final",
        lambda: agent.status(invoice_id[1])["anchor"]["state"] == "final",
        60,
    )
    assert [event["institution"] for event in loaded.events("Anchored")].count(1) >= 2
    assert invoice_id[1] in [row.id for row in loaded.rows(tables.invoice)]


def test_no_key_of_a_sample_hospital_lies_in_plain_text(loaded: System) -> None:
    for folder in (loaded.settings.var_dir / "sample/hospitals").iterdir():
        names = {path.name for path in folder.iterdir() if not path.name.startswith("agent.db-")}
        agent_only = {"agent.db", "api-key"}
        assert names - {"ledger-key.json", "keystore-password"} == agent_only
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        key = loaded.keys[folder.name].ledger_key
        assert (key is not None) == ("ledger-key.json" in names)
        if key is not None:
            texts = [path.read_bytes() for path in folder.iterdir()]
            assert not any(key in text or key.hex().encode() in text for text in texts)


def test_public_trust_file_leaves_the_key_check_unchecked(
    paid: System, bundle: dict[str, Any], auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check 5 needs the network key, which is in the secret trust file only."""
    public = paid.settings.var_dir / "trust.json"
    secret = paid.settings.var_dir / "trust-with-network-key.json"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert paid.services.network_key.hex() not in public.read_text("utf-8")
    statuses = {}
    for path in (public, secret):
        trust = json.loads(path.read_text("utf-8"))
        assert auditor.judge(bundle, "--json", trust=trust) == VERIFIED
        checks = json.loads(capsys.readouterr().out)["checks"]
        statuses[path] = {check["number"]: check["status"] for check in checks}
    assert set(statuses[secret].values()) == {"OK"}
    assert statuses[public] == statuses[secret] | {5: "NOT CHECKED"}
