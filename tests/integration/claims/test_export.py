"""The exported bundle passes every check of verifier/SPEC.md that needs no ledger."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from backend.entrypoints.cli.export import policy_text
from backend.service_layer.claims.review import refuse_pended
from backend.service_layer.claims.submit import submit
from backend.service_layer.evidence.collect import export_claim
from backend.service_layer.evidence.export_bundle import NotClosedError
from tests.integration.claims.world import OUTSIDE, World
from verifier.bundle import parse_bundle
from verifier.trust import parse_trust
from verifier.verifier import Verdict, verify_bundle

DAY = dt.date(2026, 11, 3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def offline(world: World, bundle: dict[str, Any]) -> dict[int, str]:
    """Status of each check without a node; the trust file holds the network key."""
    contract = {"address": "11" * 20, "code_hash": "22" * 32, "deployment_block": 1}
    trust = {
        "format": "yichu-trust-1",
        "chain_id": 1337,
        "genesis_hash": "33" * 32,
        "contracts": {"registry": contract, "invoice_ledger": contract},
        "finality": {"kind": "node", "confirmations": 1},
        "network_key": world.services.network_key.hex(),
        "network_key_version": 1,
    }
    report = verify_bundle(
        parse_bundle(json.dumps(bundle).encode()), parse_trust(json.dumps(trust).encode()), None
    )
    assert report.verdict is Verdict.UNDECIDED
    return {result.check.number: str(result.status) for result in report.results}


@pytest.mark.parametrize("borne", [0, 70_000])
def test_a_paid_claim_passes_every_offline_check(world: World, borne: int) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY, lines=7, other_pay_fen=borne)
    world.anchor()
    result = submit(world.services, person.id, [bill], secrets.token_urlsafe(32), has_consent=True)
    world.run()
    bundle = export_claim(world.services, result.claims[0].number, policy_text)
    found = offline(world, bundle)
    assert {number: found[number] for number in range(1, 12)} == dict.fromkeys(range(1, 12), "OK")


@pytest.mark.parametrize("item", [None, OUTSIDE])
def test_a_refusal_passes_every_offline_check(world: World, item: Any) -> None:
    person = world.person()
    change = {"item": item} if item else {"payer_name": "测试丁卯"}
    bill = world.bill(person, 1000, DAY, lines=3, **change)
    world.anchor()
    result = submit(world.services, person.id, [bill], secrets.token_urlsafe(32), has_consent=True)
    world.run()
    number = result.claims[0].number
    if item is None:
        refuse_pended(world.services, number, "复核员甲", "姓名不符")
        world.run()
    bundle = export_claim(world.services, number, policy_text)
    assert bundle["claim"]["closing"]["kind"] == "release"
    found = offline(world, bundle)
    assert {number: found[number] for number in range(1, 12)} == dict.fromkeys(range(1, 12), "OK")


def test_a_claim_that_is_not_closed_has_no_bundle(world: World) -> None:
    person = world.person()
    bill = world.bill(person, 1000, DAY)
    result = submit(world.services, person.id, [bill], secrets.token_urlsafe(32), has_consent=True)
    with pytest.raises(NotClosedError, match="还没有在账本上办结"):
        export_claim(world.services, result.claims[0].number, policy_text)
