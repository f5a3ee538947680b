"""Rules are switched by two people, after a trial run, and nothing of it is ever overwritten."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import sqlalchemy as sa

from backend.adapters.clock import SetClock
from backend.adapters.database import tables
from backend.domain.audit.rule import RuleError
from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.record_reader import MalformedDataError
from backend.service_layer.audit_rules.ports import SwitchRaceError
from backend.service_layer.audit_rules.rule_book import RuleBook
from backend.service_layer.audit_rules.switch import SwitchRefusedError, confirm, withdraw
from backend.service_layer.audit_rules.trial import TrialOrder, run_trial
from tests.integration.audit_rules.office import DAY, RuleOffice, high_amount, rule_file


@pytest.fixture
def office(office: RuleOffice) -> RuleOffice:
    """One rule on trial that every bill of more than 300 yuan hits."""
    office.use(high_amount(state="trial"))
    return office


@pytest.mark.slow
def test_live_rule_of_a_new_installation_is_live_and_says_where_it_comes_from(
    office: RuleOffice,
) -> None:
    office.use(high_amount(), high_amount("second", state="trial"))
    office.claim(100)
    with office.world.services.work(write=False) as work:
        versions = work.audit_rules.versions()
    assert [(v.rule_code, v.version, v.state, v.origin) for v in versions] == [
        ("high", 1, "live", "shipped"),
        ("second", 1, "trial", "shipped"),
    ]


@pytest.mark.slow
def test_rule_that_a_later_program_brings_along_starts_on_trial(office: RuleOffice) -> None:
    office.use(high_amount())
    office.claim(100)
    office.use(high_amount(), high_amount("later", fen=10_000))
    claim = office.claim(200)
    assert claim.state is ClaimState.PAID
    assert [(hit.rule_code, hit.effect) for hit in office.hits(claim)] == [("later", "trial")]


def test_two_people_and_a_trial_run_make_a_rule_live_at_once(office: RuleOffice) -> None:
    before = office.claim(400)
    proposal = office.propose("high", "live")
    run = office.trial("high", proposal)
    assert (run.bills, run.bills_hit, run.hits, run.is_complete) == (1, 1, 1, True)
    (example,) = json.loads(run.examples)
    assert (example["claim"], example["zh"]) == (before.number, "文字")
    assert office.pends(before) == []
    version = confirm(office.world.services, proposal.id, "乙", "试运行命中合理")
    assert (version.version, version.state, version.origin) == (2, "live", "decided")
    assert office.claim(500).state is ClaimState.PENDED
    assert office.world.claim(before.id).state is ClaimState.PAID


@pytest.mark.parametrize("name", ["甲", " 甲 ", "甲\u3000"])
@pytest.mark.slow
def test_who_proposed_cannot_confirm(office: RuleOffice, name: str) -> None:
    proposal = office.propose("high", "retired")
    with pytest.raises(SwitchRefusedError, match="it takes two people"):
        confirm(office.world.services, proposal.id, name, "同意")


def test_the_database_itself_refuses_one_person_twice(office: RuleOffice) -> None:
    proposal = office.propose("high", "retired")
    row = {
        "proposal_id": proposal.id,
        "proposed_by": "甲",
        "answer": "confirmed",
        "answered_by": "甲",
        "reason": "x",
        "answered_at": office.world.services.clock.now(),
    }
    engine = office.world.services.engine
    with pytest.raises(sa.exc.IntegrityError, match="two_people"), engine.begin() as connection:
        connection.execute(tables.audit_rule_answer.insert().values(row))
    # Nor can the one who proposed be somebody else than the proposal says.
    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(tables.audit_rule_answer.insert().values({**row, "proposed_by": "丁"}))
    version = {
        "rule_code": "high",
        "version": 2,
        "state": "live",
        "origin": "decided",
        "proposal_id": proposal.id,
        "answer": "confirmed",
        "recorded_at": office.world.services.clock.now(),
    }
    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(tables.audit_rule_version.insert().values(version))
    shipped = {**version, "origin": "shipped", "proposal_id": None, "answer": None}
    with pytest.raises(sa.exc.IntegrityError, match="origin"), engine.begin() as connection:
        connection.execute(tables.audit_rule_version.insert().values(shipped))


@pytest.mark.slow
def test_no_rule_goes_live_without_a_trial_run(office: RuleOffice) -> None:
    proposal = office.propose("high", "live")
    with pytest.raises(SwitchRefusedError, match="run over past bills"):
        confirm(office.world.services, proposal.id, "乙", "同意")
    office.trial("high", proposal)  # there are no bills yet: nothing was tried
    with pytest.raises(SwitchRefusedError, match="run over past bills"):
        confirm(office.world.services, proposal.id, "乙", "同意")


@pytest.mark.slow
def test_an_old_trial_run_does_not_count(office: RuleOffice) -> None:
    office.claim(400)
    proposal = office.propose("high", "live")
    office.trial("high", proposal)
    clock = office.world.services.clock
    assert isinstance(clock, SetClock)
    clock.advance(30 * 86_400 + 1)
    with pytest.raises(SwitchRefusedError, match="within 30 days"):
        confirm(office.world.services, proposal.id, "乙", "同意")


@pytest.mark.slow
def test_a_trial_run_of_other_parameters_does_not_count(office: RuleOffice) -> None:
    office.claim(400)
    office.trial("high")
    proposal = office.propose("high", "live", parameters={"total_fen": 20_000}, valid_from=DAY)
    with pytest.raises(SwitchRefusedError, match="with these parameters"):
        confirm(office.world.services, proposal.id, "乙", "同意")


@pytest.mark.slow
def test_parameters_hold_by_the_day_of_service(office: RuleOffice) -> None:
    office.use(high_amount())
    office.claim(100)
    office.switch("high", "live", parameters={"total_fen": 10_000}, valid_from=DAY)
    earlier = office.claim(200, DAY - dt.timedelta(days=1))
    later = office.claim(200, DAY)
    assert (earlier.state, later.state) == (ClaimState.PAID, ClaimState.PENDED)
    digests = {office.audit_stage(one).inputs["rules"]["rule_set"] for one in (earlier, later)}
    assert len(digests) == 2
    with pytest.raises(SwitchRefusedError, match="cannot begin before the last ones"):
        office.propose(
            "high",
            "live",
            parameters={"total_fen": 5_000},
            valid_from=DAY - dt.timedelta(days=30),
        )


@pytest.mark.slow
def test_wrong_parameters_are_refused_with_every_fault(office: RuleOffice) -> None:
    wrong = {"total_fen": "much", "nonsense": 1}
    with pytest.raises(MalformedDataError, match="nonsense") as raised:
        office.propose("high", "live", parameters=wrong, valid_from=DAY)
    assert {path for path, _, _ in raised.value.faults} == {
        "/rules/0/parameters/nonsense",
        "/rules/0/parameters/total_fen",
    }


def test_a_wrong_rule_set_is_refused_as_a_whole_with_every_fault() -> None:
    first, second = high_amount(), high_amount("second")
    first["check"] = "no-such-check"
    second["severity"] = 9
    with pytest.raises(MalformedDataError, match="AUDIT RULES") as raised:
        RuleBook(rule_file(first, second, high_amount("second")))
    paths = {path for path, _, _ in raised.value.faults}
    assert {"/rules/0/check", "/rules/1/severity", "/rules/2/code"} <= paths


@pytest.mark.parametrize(
    ("state", "message"),
    [("trial", "nothing changes"), ("retired", "")],
)
@pytest.mark.slow
def test_only_possible_changes_are_proposed(office: RuleOffice, state: str, message: str) -> None:
    if not message:
        office.switch("high", state)
        with pytest.raises(SwitchRefusedError, match="can become trial only"):
            office.propose("high", "live")
        return
    with pytest.raises(SwitchRefusedError, match=message):
        office.propose("high", state)


@pytest.mark.slow
def test_parameters_and_their_day_come_together(office: RuleOffice) -> None:
    with pytest.raises(SwitchRefusedError, match="need the day of service"):
        office.propose("high", "live", parameters={"total_fen": 1})
    with pytest.raises(SwitchRefusedError, match="need the day of service"):
        office.propose("high", "live", valid_from=DAY)


@pytest.mark.slow
def test_unknown_rule_and_proposal_are_not_found(office: RuleOffice) -> None:
    with pytest.raises(RuleError, match="There is no rule nothing"):
        office.propose("nothing", "live")
    with pytest.raises(NotFoundError, match="no proposal rpr_none"):
        confirm(office.world.services, "rpr_none", "乙", "同意")
    with pytest.raises(RuleError, match="There is no rule nothing"):
        office.trial("nothing")
    proposal = office.propose("high", "retired")
    office.use(high_amount(state="trial"), high_amount("second", state="trial"))
    with pytest.raises(NotFoundError, match="rule second has no proposal"):
        office.trial("second", proposal)


@pytest.mark.parametrize(
    ("by", "reason"), [("", "x"), ("乙", "  "), ("乙" * 61, "x"), ("乙", "x" * 501)]
)
@pytest.mark.slow
def test_every_answer_is_signed(office: RuleOffice, by: str, reason: str) -> None:
    proposal = office.propose("high", "retired")
    for answer in (confirm, withdraw):
        with pytest.raises(SwitchRefusedError, match="give a name"):
            answer(office.world.services, proposal.id, by, reason)


@pytest.mark.slow
def test_withdrawn_proposal_has_no_effect_and_is_closed(office: RuleOffice) -> None:
    proposal = office.propose("high", "retired")
    withdraw(office.world.services, proposal.id, "甲", "再想想")
    with pytest.raises(ConflictError, match="was withdrawn by 甲"):
        confirm(office.world.services, proposal.id, "乙", "同意")
    assert [hit.effect for hit in office.hits(office.claim(400))] == ["trial"]


@pytest.mark.slow
def test_second_of_two_proposals_on_one_version_is_refused(office: RuleOffice) -> None:
    first, second = office.propose("high", "retired"), office.propose("high", "retired", "丙")
    confirm(office.world.services, first.id, "乙", "同意")
    with pytest.raises(SwitchRaceError, match="somebody else has just changed this rule"):
        confirm(office.world.services, second.id, "乙", "同意")


@pytest.mark.slow
def test_trial_run_says_what_it_could_not_read_and_where_it_stopped(office: RuleOffice) -> None:
    world, person = office.world, office.world.person()
    for number in range(4):
        world.bill(person, 400 + number, DAY - dt.timedelta(days=number))
    stranger = world.bill(person, 900, DAY)
    world.sql(
        "UPDATE invoice_version SET header = replace(header, 'TEST-0000', 'TEST-9999') "
        "WHERE invoice_id = :stranger",
        stranger=stranger,
    )
    run = office.trial("high")
    assert (run.bills, run.bills_hit, run.unreadable, run.is_complete) == (4, 4, 1, True)
    assert run.hit_bp == 10_000
    part = office.trial("high", from_on=DAY - dt.timedelta(days=1), to_on=DAY, bills_max=2)
    assert (part.bills + part.unreadable, part.is_complete) == (2, False)
    with pytest.raises(SwitchRefusedError, match="not possible"):
        run_trial(world.services, TrialOrder("high", DAY, DAY - dt.timedelta(days=1)), "丙")


@pytest.mark.slow
def test_retired_rule_comes_back_on_trial_only(office: RuleOffice) -> None:
    office.switch("high", "retired")
    assert office.hits(office.claim(400)) == []
    office.switch("high", "trial")
    assert [hit.effect for hit in office.hits(office.claim(401))] == ["trial"]
