"""``python -m scripts.insurer``: what a commercial insurer's system does with the API.

An example to read and to try on the sample system: it lists what citizens opened, shows a bill, and
pays 80 % of what the person bears after basic insurance, by the sample's invented terms.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import requests

SHARE_PERCENT: Final = 80
_TIMEOUT_SECONDS: Final = 20
_UNDER_WAY: Final = ("lodging", "settling")


@dataclass(frozen=True, slots=True)
class Insurer:
    """One insurer's access: where the API is, its key, and the hash of its published terms."""

    base_url: str
    api_key: str
    policy_hash: str

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
        """One call; raises ClickException with the problem's own words."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        if key:
            headers["Idempotency-Key"] = key
        answer = requests.request(
            method,
            f"{self.base_url}/v1/payer{path}",
            json=body,
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
        )
        found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise click.ClickException(f"{found['code']}: {found['detail']} / {found['detail_en']}")
        return found

    def settled(self, claim_id: str, wait_seconds: float) -> dict[str, Any]:
        """The claim as soon as no call of it is under way."""
        deadline = time.monotonic() + wait_seconds
        while True:
            claim = self.call("GET", f"/claims/{claim_id}")
            if claim["state"] not in _UNDER_WAY or time.monotonic() > deadline:
                return claim
            time.sleep(0.2)


def amount_of(bill: dict[str, Any]) -> tuple[int, dict[str, int]]:
    """What the terms pay of an opened bill, in fen, and how it was worked out."""
    header, decision = bill.get("header"), bill.get("decision")
    if header is None or decision is None:
        raise click.ClickException("需要开放票面和核定结果 / header and decision must be opened")
    borne = header["fund_pay_fen"] + header["other_pay_fen"]
    own = header["total_fen"] - borne - decision.get("paid_fen", 0)
    amount = (own * SHARE_PERCENT + 50) // 100  # half a fen up
    return amount, {"own_fen": own, "percent": SHARE_PERCENT, "amount_fen": amount}


@click.group()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True)
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("var/sample/insurer.json"),
    show_default=True,
    help="JSON with api_key and policy_hash.",
)
@click.pass_context
def cli(context: click.Context, url: str, key_file: Path) -> None:
    """Speak for an insurer."""
    facts = json.loads(key_file.read_text("utf-8"))
    context.obj = Insurer(url.rstrip("/"), facts["api_key"], facts["policy_hash"])


@cli.command()
@click.pass_obj
def consents(insurer: Insurer) -> None:
    """What citizens have opened."""
    for row in insurer.call("GET", "/consents?limit=200")["consents"]:
        click.echo(f"{row['bill_id']}\t{','.join(row['opened'])}\t{row['until']}")


@cli.command()
@click.argument("bill_id")
@click.pass_obj
def bill(insurer: Insurer, bill_id: str) -> None:
    """The opened parts of a bill."""
    click.echo(json.dumps(insurer.call("GET", f"/bills/{bill_id}"), ensure_ascii=False, indent=1))


@cli.command()
@click.argument("bill_id")
@click.option("--wait", "wait_seconds", default=30.0, show_default=True)
@click.pass_obj
def pay(insurer: Insurer, bill_id: str, wait_seconds: float) -> None:
    """Lodge a bill, settle what the terms pay, and say what the ledger made of it.

    The keys of both calls are derived, so that running it again after a crash is the same calls.
    """
    amount, working = amount_of(insurer.call("GET", f"/bills/{bill_id}"))
    lodged = insurer.call("POST", f"/bills/{bill_id}/lodge", {}, key=f"lodge-{bill_id}")
    claim = insurer.settled(lodged["id"], wait_seconds)
    if claim["state"] == "lodged":
        document = json.dumps({"bill": bill_id, **working}, sort_keys=True).encode()
        body = {
            "amount_fen": amount,
            "policy_hash": insurer.policy_hash,
            "decision_fingerprint": hashlib.sha256(document).hexdigest(),
        }
        path = f"/claims/{claim['id']}/settle"
        insurer.call("POST", path, body, key=f"settle-{claim['id']}")
        claim = insurer.settled(claim["id"], wait_seconds)
    last = claim["calls"][-1]
    click.echo(f"{claim['id']} {claim['state']}: {last['call']} {last['outcome']}")
    click.echo(json.dumps(working | {"settled_fen": claim["settled_fen"]}))


if __name__ == "__main__":
    cli()
