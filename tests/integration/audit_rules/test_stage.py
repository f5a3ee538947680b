"""The audit stage: what each kind of hit does to a claim, what is kept, what the citizen reads."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.claim import ClaimState, StageOutcome
from backend.domain.invoice import FeeItem
from backend.domain.review import Outcome
from backend.entrypoints.web import create_app
from backend.service_layer.audit_rules.figures import refresh_figures
from backend.service_layer.audit_rules.outcomes import OutcomeError, record_outcome
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import approve_pended, refuse_pended
from tests.integration.audit_rules.office import DAY, RuleOffice, evidence, high_amount, rule
from tests.integration.claims.revising import conclude
from tests.integration.claims.test_pages import BASE, client_of, log_in

WRONG_ITEMS = (FeeItem("13", "西药费", 39_999),)


def items_total(**changes: str) -> dict[str, Any]:
    """An exact fact about the bill: its fee items do not add up to the total."""
    values = {"class": "sums", "nature": "exact", **changes}
    return rule("items", "items-total", **values)


@pytest.mark.slow
def test_a_bill_without_fault_is_not_held_up_by_the_shipped_rules(office: RuleOffice) -> None:
    claim = office.claim(400)
    assert claim.state is ClaimState.PAID
    assert {hit.effect for hit in office.hits(claim)} <= {"trial"}
    assert office.audit_stage(claim).outcome is StageOutcome.PASSED


@pytest.mark.slow
def test_stage_names_the_rule_set_and_its_text_can_be_opened(office: RuleOffice) -> None:
    claim = office.claim(400)
    asked = office.audit_stage(claim).inputs["rules"]
    digest = bytes.fromhex(asked["rule_set"])
    with office.world.services.work(write=False) as work:
        document = work.audit_rules.rule_set_document(digest)
    assert document is not None
    assert hashlib.sha256(document.encode()).digest() == digest
    assert asked["rules_asked"] > 40
    assert asked["not_judged"]["out-above"] == "no-group"


def test_judgement_hit_is_a_reason_for_a_person_with_the_rules_own_routing(
    office: RuleOffice,
) -> None:
    office.use(high_amount(priority=1, queue="costs", role="supervisor", severity=4))
    claim = office.claim(400)
    assert claim.state is ClaimState.PENDED
    (pend,) = office.pends(claim)
    assert (pend.code, pend.rule_code, pend.line_index) == ("high", "high", None)
    assert (pend.priority, pend.queue, pend.role, pend.severity) == (1, "costs", "supervisor", 4)
    (hit,) = office.hits(claim)
    assert (hit.effect, hit.line_index, hit.zh) == ("pended", -1, "文字")


@pytest.mark.slow
def test_trial_hit_is_kept_and_has_no_effect(office: RuleOffice) -> None:
    office.use(high_amount(state="trial"))
    claim = office.claim(400)
    assert claim.state is ClaimState.PAID
    assert office.pends(claim) == []
    assert [hit.effect for hit in office.hits(claim)] == ["trial"]
    assert office.audit_stage(claim).inputs["rules"]["trial_hits"] == 1


@pytest.mark.slow
def test_retired_rule_is_not_asked(office: RuleOffice) -> None:
    office.use(high_amount(state="retired"))
    claim = office.claim(400)
    assert claim.state is ClaimState.PAID
    assert office.hits(claim) == []
    assert office.audit_stage(claim).inputs["rules"]["rules_asked"] == 0


def test_exact_hit_refuses_and_the_page_says_why_and_what_to_do(office: RuleOffice) -> None:
    office.use(items_total())
    claim = office.claim(400, items=WRONG_ITEMS)
    assert claim.state is ClaimState.REFUSED
    assert claim.live_invoice_id is None
    assert [hit.effect for hit in office.hits(claim)] == ["refused"]
    client = client_of(create_app(office.world.services))
    log_in(client, "citizen01")
    text = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert "文字。依据：某办法第一条。对结果有不同意见，可以申请复核，或拨打电话" in text


@pytest.mark.slow
def test_exact_rule_on_trial_refuses_nothing(office: RuleOffice) -> None:
    office.use(items_total(state="trial"))
    claim = office.claim(400, items=WRONG_ITEMS)
    assert claim.state is not ClaimState.REFUSED
    assert [hit.effect for hit in office.hits(claim)] == ["trial"]


@pytest.mark.slow
def test_second_bill_of_one_visit_names_the_claim_that_holds_the_first(office: RuleOffice) -> None:
    office.use(rule("twice", "same-content", **{"class": "duplicate", "nature": "exact"}))
    first = office.claim(400)
    assert first.state is ClaimState.PAID
    second = office.claim(400)
    assert second.state is ClaimState.REFUSED
    (reason,) = office.audit_stage(second).reasons
    assert reason.holder == f"（受理号 {first.number}）"
    assert f"（受理号 {first.number}）" in reason.zh


@pytest.mark.slow
def test_same_lines_for_another_person_are_found_at_any_hospital_and_nobody_is_named(
    office: RuleOffice,
) -> None:
    world = office.world
    world.person()
    other = world.person("测试乙丑", "citizen02")
    with world.services.engine.begin() as connection:
        row = connection.execute(sa.select(tables.institution)).one()._mapping
        elsewhere = {**row, "code": "H33080200002", "ledger_number": 2, "ledger_account": None}
        connection.execute(tables.institution.insert().values(elsewhere))
    office.use(rule("alike", "other-person", parameters={"lines_min": 2}, **{"class": "duplicate"}))
    twin = world.bill(other, 400, DAY, lines=2)
    with world.services.engine.begin() as connection:
        connection.execute(
            sa.update(tables.invoice)
            .where(tables.invoice.c.id == twin)
            .values(institution_code="H33080200002")
        )
    claim = office.claim(400, lines=2)
    assert claim.state is ClaimState.PENDED
    (hit,) = office.hits(claim)
    assert evidence(hit)["hospitals"] == ["H33080200002"]
    assert "测试乙丑" not in hit.zh + hit.en + hit.evidence
    assert office.claim(500, lines=2).state is ClaimState.PAID  # other amounts are no twins


@pytest.mark.slow
def test_damage_of_another_bill_is_noted_and_stops_nobody(office: RuleOffice) -> None:
    world = office.world
    other = world.bill(world.person(), 300, DAY)
    good = world.bill(world.people[0], 400, DAY)
    world.anchor()
    world.sql(
        "UPDATE expense_line SET record = 'nonsense' WHERE version_id IN "
        "(SELECT id FROM invoice_version WHERE invoice_id = :other)",
        other=other,
    )
    claim = office.touch(good, is_anchored=True)
    assert claim.state is ClaimState.PAID
    with world.services.engine.begin() as connection:
        version = connection.execute(
            sa.select(tables.invoice_version.c.id).where(
                tables.invoice_version.c.invoice_id == other
            )
        ).scalar_one()
    assert office.audit_stage(claim).inputs["rules"]["unreadable_others"] == [version]


def test_approval_clears_the_rules_doubt_and_refusal_upholds_it(office: RuleOffice) -> None:
    office.use(high_amount(), high_amount("other", fen=10_000, state="trial"))
    cleared, upheld = office.claim(400), office.claim(500)
    approve_pended(office.world.services, cleared.number, "王芳", "费用合理")
    refuse_pended(office.world.services, upheld.number, "李敏", "费用不实")
    office.world.run()
    assert office.outcomes(cleared) == {"high": "cleared"}
    assert office.outcomes(upheld) == {"high": "upheld"}
    assert office.world.claim(cleared.id).state is ClaimState.PAID
    with office.world.services.work(write=False) as work:
        counts = {count.rule_code: count for count in work.audit_rules.counts()}
    assert (counts["high"].pended, counts["high"].upheld, counts["high"].cleared) == (2, 1, 1)
    assert counts["high"].upheld_bp == 5_000
    assert (counts["other"].trial, counts["other"].upheld_bp) == (2, None)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", [Outcome.APPROVE, Outcome.REFUSE])
def test_an_appeal_against_an_exact_refusal_clears_or_upholds_the_rule(
    office: RuleOffice, outcome: Outcome
) -> None:
    office.use(items_total())
    world = office.world
    claim = office.claim(400, items=WRONG_ITEMS)
    assert claim.state is ClaimState.REFUSED
    file_appeal(world.services, claim.person_id, claim.id, "refusal", "医院已经说明，少印一分钱")
    conclude(world, claim, "appeal", outcome)
    world.run()
    after = world.claim(claim.id)
    if outcome is Outcome.REFUSE:
        assert (after.state, office.outcomes(claim)) == (ClaimState.REFUSED, {"items": "upheld"})
        return
    # The claim came back under its number, and the fact that people looked at refuses no more.
    assert (after.state, after.number) == (ClaimState.PAID, claim.number)
    assert office.outcomes(claim) == {"items": "cleared"}
    assert office.audit_stage(claim).outcome is StageOutcome.PASSED


@pytest.mark.slow
def test_outcome_is_recorded_once_and_can_be_corrected_later(office: RuleOffice) -> None:
    office.use(high_amount())
    claim, services = office.claim(400), office.world.services

    def record(outcome: str) -> int:
        with services.work() as work:
            marked = record_outcome(services, work, claim.id, {("high", None): outcome}, "王芳")
            work.commit()
        return marked

    assert [record("upheld"), record("upheld"), record("cleared")] == [1, 0, 1]
    assert office.outcomes(claim) == {"high": "cleared"}
    with services.work() as work:
        assert record_outcome(services, work, claim.id, {("nothing", None): "upheld"}, "x") == 0
        assert record_outcome(services, work, claim.id, {("high", 0): "upheld"}, "x") == 0
        with pytest.raises(OutcomeError, match="unknown outcome maybe"):
            record_outcome(services, work, claim.id, {("high", None): "maybe"}, "x")


@pytest.mark.parametrize("table", ["audit_hit", "audit_rule_version", "audit_rule_set"])
@pytest.mark.slow
def test_what_rules_did_cannot_be_changed(office: RuleOffice, table: str) -> None:
    office.use(high_amount())
    office.claim(400)
    for statement in (f"UPDATE {table} SET rowid = rowid", f"DELETE FROM {table}"):
        with (
            pytest.raises(sa.exc.DBAPIError, match=f"{table} is insert-only"),
            office.world.services.engine.begin() as connection,
        ):
            connection.exec_driver_sql(statement)


@pytest.mark.slow
def test_group_figures_are_named_by_the_hit_that_used_them(office: RuleOffice) -> None:
    world, person = office.world, office.world.person()
    for yuan in range(90, 121, 2):  # sixteen bills, median 105
        world.bill(person, yuan, DAY - dt.timedelta(days=yuan - 80), diagnosis_code="J06.900")
    world.bill(person, 5_000, DAY, diagnosis_code="I10")
    assert refresh_figures(world.services) == 2
    assert refresh_figures(world.services) == 0  # counted already
    office.use(
        rule("above", "above-group", parameters={"size_min": 10, "factor_bp": 25_000}),
    )
    claim = office.claim(300, diagnosis_code="J06.901")
    assert claim.state is ClaimState.PENDED
    (hit,) = office.hits(claim)
    found = evidence(hit)
    assert (found["group"]["median_fen"], found["group"]["size"]) == (10_500, 15)
    assert found["figures_at"] == "2026-11-20T02:00:00+00:00"
    assert person.name not in hit.evidence and person.identity_number not in hit.evidence
    assert office.claim(260, diagnosis_code="J06.901").state is ClaimState.PAID  # below 2.5 x
    assert office.claim(300, diagnosis_code="I10").state is ClaimState.PAID  # a group of one


@pytest.mark.slow
def test_figures_are_counted_anew_when_a_day_old_or_half_grown(office: RuleOffice) -> None:
    world, person = office.world, office.world.person()
    for number in range(4):
        world.bill(person, 100 + number, DAY, diagnosis_code="J06")
    assert refresh_figures(world.services) == 1
    world.bill(person, 200, DAY, diagnosis_code="J06")
    clock = world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance(300)
    assert refresh_figures(world.services) == 0  # one more of four
    world.bill(person, 201, DAY, diagnosis_code="J06")
    assert refresh_figures(world.services) == 1
    clock.advance(86_399)
    assert refresh_figures(world.services) == 0
    clock.advance(1)
    assert refresh_figures(world.services) == 1


@pytest.mark.slow
def test_traits_are_worked_out_for_bills_stored_without(office: RuleOffice) -> None:
    world = office.world
    world.bill(world.person(), 100, DAY, diagnosis_code="J06")
    with world.services.engine.begin() as connection:
        before = connection.execute(sa.select(tables.bill_trait)).one()
        connection.execute(sa.delete(tables.bill_trait))
    assert refresh_figures(world.services) == 1
    with world.services.engine.begin() as connection:
        assert connection.execute(sa.select(tables.bill_trait)).one() == before
