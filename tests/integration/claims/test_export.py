"""The exported bundle passes every check of verifier/SPEC.md that needs no ledger."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.database import tables
from backend.domain.review import Outcome
from backend.entrypoints.cli.export import policy_text
from backend.service_layer.claims.submit import submit
from backend.service_layer.evidence.collect import export_claim
from backend.service_layer.evidence.export_bundle import EvidenceLostError, NotClosedError
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import refuse_pended
from tests.integration.claims.revising import WORDS, claim_on, conclude, matched, mixed_bill
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


def supplemented(world: World) -> str:
    """A paid claim whose appeal was upheld: two versions on the ledger. Returns its number."""
    person = world.person()
    bill = mixed_bill(world, person, 500, 100, DAY)
    world.anchor()
    (claim,) = claim_on(world, person, bill)
    world.run()
    file_appeal(world.services, person.id, claim.id, "item", WORDS)
    conclude(world, claim, "appeal", Outcome.APPROVE, matched(1))
    world.run()
    return claim.number


def test_a_supplemented_claim_shows_every_version(world: World) -> None:
    number = supplemented(world)
    bundle = export_claim(world.services, number, policy_text)
    assert bundle["format"] == "yichu-evidence-2"
    # At level 2: (500.00 - 300.00) x 60 %, then (600.00 - 300.00) x 60 %.
    assert bundle["claim"]["closing"]["amount_fen"] == 12_000
    assert [(one["decision_version"], one["amount_fen"]) for one in bundle["later"]] == [(2, 6_000)]
    assert offline(world, bundle)[19] == "OK"
    assert {"earlier", "recoveries"}.isdisjoint(bundle)


def test_a_version_that_cannot_be_opened_any_more_is_not_left_out(world: World) -> None:
    number = supplemented(world)
    with world.services.engine.begin() as connection:
        for trigger in (
            connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'decision'"
            )
            .scalars()
            .all()
        ):
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        connection.execute(
            tables.decision.update()
            .where(tables.decision.c.version == 2)
            .values(wrapped_secret=None)
        )
    with pytest.raises(EvidenceLostError, match="第 2 版决定的数据已不在本系统"):
        export_claim(world.services, number, policy_text)
