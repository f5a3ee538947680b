"""Whose money a claim is: the city's fund pays, the county of the insured area handles."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.adapters.identifiers import RandomIds
from backend.bootstrap import Services
from backend.domain.journal import ClaimFund, Fund, JournalError, LayerAmounts
from backend.domain.register import FactKind, RegisterFact
from backend.service_layer.claims.records import Decision
from backend.service_layer.journal.funds import fund_of_claim, fund_region, layer_amounts
from backend.service_layer.register.entries import Entry, RegisterRefusedError, check_entry
from tests.integration.claims.world import settings_for
from tests.integration.journal.claim_rows import AT, add_claims

NOW = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)


@pytest.fixture
def services(engine: sa.Engine, tmp_path: Path) -> Services:
    """Services on either database, with payer 1 and one claim; served on 1 November 2026."""
    made = Services(settings_for(tmp_path), SetClock(NOW), RandomIds())
    made.__dict__["engine"] = engine
    add_claims(engine, "1")
    with engine.begin() as connection:
        connection.execute(
            tables.payer.insert().values(
                number=1, name="市中心（测试）", payer_class="basic", ledger_account="0xA1"
            )
        )
    return made


def explanation(**changed: Any) -> str:
    amounts = dict.fromkeys(
        ("hifp_pay_fen", "hifmi_pay_fen", "hifob_pay_fen", "maf_pay_fen", "cvlserv_pay_fen"), 0
    )
    return json.dumps({"insurance_type": "390", **amounts, **changed})


def decision(paid_fen: int = 0, **changed: Any) -> Decision:
    return Decision(
        id="dec_1", claim_id="clm_1", version=1, outcome="approved", paid_fen=paid_fen,
        explanation=explanation(**changed), fingerprint=bytes(32), wrapped_secret=None,
        policy_hash=bytes(32), person_snapshot="{}", history_snapshot="{}", decided_by="machine",
        reason="", decided_at=NOW,
    )  # fmt: skip


def area(
    code: str, starts_on: dt.date, ends_on: dt.date | None = None, number: int = 1, **changed: Any
) -> RegisterFact:
    return RegisterFact(
        id=f"fct_{number}", person_id="per_1", kind=FactKind.AREA, code=code, detail=f"{code}测试",
        valid_from=starts_on, valid_to=ends_on, filed_on=None,
        supersedes=changed.get("supersedes"), is_withdrawn=changed.get("is_withdrawn", False),
        source="simulated", recorded_by="test", reason="test", recorded_at=NOW,
    )  # fmt: skip


def fund(services: Services, *facts: RegisterFact, has_decision: bool = True) -> Fund:
    with services.work() as work:
        for fact in facts:
            work.register.add(fact)
        if has_decision and work.decisions.latest("clm_1") is None:
            work.decisions.add(decision())
        found = fund_of_claim(services, work, work.claims.get("clm_1"))
        work.commit()
    return found


def test_county_handles_and_city_pays(services: Services) -> None:
    found = fund(services, area("330802", dt.date(2020, 1, 1)))
    assert found == Fund("330800", "390", "330802", "330802测试")
    with services.work(write=False) as work:
        kept = work.journal.claim_fund("clm_1")
    assert kept == ClaimFund("clm_1", found, "register", NOW)


def test_area_of_the_day_of_service_counts(services: Services) -> None:
    assert AT.date() == dt.date(2026, 11, 1)
    found = fund(
        services,
        area("330802", dt.date(2020, 1, 1), dt.date(2026, 10, 31), 1),
        area("330803", dt.date(2026, 11, 1), dt.date(2026, 11, 1), 2),
        area("330881", dt.date(2026, 11, 2), None, 3),
    )
    assert found.agency_code == "330803"


def test_area_that_was_withdrawn_or_corrected_does_not_count(services: Services) -> None:
    found = fund(
        services,
        area("330802", dt.date(2020, 1, 1), None, 1),
        area("330802", dt.date(2020, 1, 1), None, 2, supersedes="fct_1", is_withdrawn=True),
        area("330881", dt.date(2020, 1, 1), None, 3),
    )
    assert found.agency_code == "330881"


@pytest.mark.parametrize(
    "facts",
    [
        (),
        (area("330802", dt.date(2026, 11, 2)),),
        (area("330802", dt.date(2020, 1, 1), dt.date(2026, 10, 31)),),
    ],
)
def test_without_an_area_on_that_day_this_installation_pays_and_handles(
    services: Services, facts: tuple[RegisterFact, ...]
) -> None:
    assert fund(services, *facts) == Fund("330800", "390", "330800", "市中心（测试）")
    with services.work(write=False) as work:
        kept = work.journal.claim_fund("clm_1")
    assert kept is not None
    assert kept.basis == "settings"


def test_fund_is_fixed_by_the_first_answer(services: Services) -> None:
    first = fund(services)
    assert fund(services, area("330802", dt.date(2020, 1, 1))) == first


def test_person_insured_in_another_city_is_that_citys(services: Services) -> None:
    assert fund(services, area("330106", dt.date(2020, 1, 1))).region == "330100"


def test_claim_without_a_decision_has_no_fund(services: Services) -> None:
    with pytest.raises(JournalError, match="no decision yet"):
        fund(services, has_decision=False)


@pytest.mark.parametrize(
    ("code", "region", "pays"),
    [
        ("330802", "330800", "330800"),
        ("330800", "330800", "330800"),
        ("330106", "330800", "330100"),
        ("360102", "330800", "360100"),
        ("110105", "110000", "110000"),
        ("331002", "331000", "331000"),
        ("331102", "331000", "331100"),
        ("330802", "330802", "330802"),
        ("330803", "330802", "330800"),
    ],
)
def test_region_that_pays(code: str, region: str, pays: str) -> None:
    assert fund_region(code, region) == pays


def test_layers_are_read_from_the_decision() -> None:
    made = decision(
        100, hifp_pay_fen=60, hifmi_pay_fen=20, hifob_pay_fen=5, maf_pay_fen=14, cvlserv_pay_fen=1
    )
    assert layer_amounts(made) == LayerAmounts(60, 25, 14, 1)
    assert layer_amounts(None) == LayerAmounts()


@pytest.mark.parametrize("paid", [99, 101, 0])
def test_layers_that_are_not_what_the_decision_pays_are_refused(paid: int) -> None:
    with pytest.raises(JournalError, match="layers of the decision are not what it pays"):
        layer_amounts(decision(paid, hifp_pay_fen=100))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry(FactKind.AREA, "3308", dt.date(2020, 1, 1), detail="x"), "six digits"),
        (Entry(FactKind.AREA, "33080x", dt.date(2020, 1, 1), detail="x"), "six digits"),
        (Entry(FactKind.AREA, "330802", dt.date(2020, 1, 1), detail=""), "name the area's agency"),
        (Entry(FactKind.AREA, "330802", dt.date(2020, 1, 1), detail="长" * 17), "up to 16"),
        (Entry(FactKind.AREA, "330802", dt.date(2026, 1, 1), detail="x"), "overlaps the area"),
    ],
)  # fmt: skip
def test_area_that_cannot_be_recorded_is_refused(entry: Entry, message: str) -> None:
    standing = (area("330803", dt.date(2020, 6, 1)),)
    with pytest.raises(RegisterRefusedError, match=message):
        check_entry(entry, standing, region="330800", today=NOW.date())
