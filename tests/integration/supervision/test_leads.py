"""Leads walked to an end over the real database: whole walks, and what is refused on the way."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json

import pytest
import sqlalchemy as sa
from PIL import Image

from backend.adapters.database import tables
from backend.domain.errors import ConflictError, ForbiddenError, NotFoundError
from backend.domain.supervision import (
    BadStepError,
    SameHandsError,
    Source,
    State,
    StepKind,
    SubjectKind,
    TooEarlyError,
    TooLateError,
    WrongStepError,
)
from backend.service_layer.claims.records import Login
from backend.service_layer.review.records import Staff
from backend.service_layer.supervision.cases import LEAD_LATE, supervision_pass
from backend.service_layer.supervision.lead_reading import export_findings, list_leads, overdue
from backend.service_layer.supervision.lead_records import Subject
from backend.service_layer.supervision.leads import add_file, add_row, open_lead
from tests.integration.claims.world import HOSPITAL
from tests.integration.supervision.case_file import (
    CLERK,
    DECIDER,
    FINDER,
    REPORTER,
    CaseFile,
)


def _picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (400, 400), "white").save(made, "PNG")
    return made.getvalue()


PICTURE = _picture()


def test_a_lead_ends_in_an_order_when_nobody_appeals(case_file: CaseFile) -> None:
    lead_id = case_file.open()
    assert case_file.do(lead_id, StepKind.ASKED) is State.ASKED
    assert case_file.view(lead_id).due == dt.date(2026, 12, 4)  # ten working days after 20 Nov
    assert case_file.do(lead_id, StepKind.ANSWERED) is State.ANSWERED
    assert case_file.do(lead_id, StepKind.FOUND, FINDER, "substantiated", 500) is State.FOUND
    assert export_findings(case_file.services) == []
    case_file.days()
    assert case_file.view(lead_id).is_final
    assert case_file.do(lead_id, StepKind.ORDERED, DECIDER) is State.ORDERED
    assert case_file.view(lead_id).amount_fen == 500
    assert list_leads(case_file.services) == []
    assert [one.lead.id for one in list_leads(case_file.services, show_closed=True)] == [lead_id]


def test_a_lead_ends_in_an_order_of_less_after_an_appeal_with_experts(case_file: CaseFile) -> None:
    lead_id = case_file.found(1_000)
    assert case_file.do(lead_id, StepKind.APPEALED) is State.APPEALED
    assert case_file.do(lead_id, StepKind.EXPERT_ASKED) is State.EXPERT
    assert case_file.view(lead_id).due is None
    case_file.days(5)
    assert case_file.do(lead_id, StepKind.EXPERT_ANSWERED) is State.APPEALED
    assert case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "reduced", 400) is State.UPHELD
    assert case_file.do(lead_id, StepKind.ORDERED, DECIDER) is State.ORDERED
    assert case_file.view(lead_id).amount_fen == 400


def test_a_successful_appeal_closes_the_case(case_file: CaseFile) -> None:
    lead_id = case_file.found()
    case_file.do(lead_id, StepKind.APPEALED)
    assert case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "overturned") is State.UNFOUNDED
    assert case_file.view(lead_id).amount_fen is None
    assert export_findings(case_file.services) == []


def test_a_provider_that_does_not_answer_is_found_without_it(case_file: CaseFile) -> None:
    lead_id = case_file.open()
    case_file.do(lead_id, StepKind.ASKED)
    with pytest.raises(TooEarlyError, match="until 2026-12-04 to answer"):
        case_file.do(lead_id, StepKind.FOUND, FINDER, "unfounded")
    case_file.days(15)
    assert case_file.do(lead_id, StepKind.FOUND, FINDER, "unfounded") is State.UNFOUNDED


def test_a_case_can_be_referred_and_set_aside_later(case_file: CaseFile) -> None:
    lead_id = case_file.final()
    assert case_file.do(lead_id, StepKind.REFERRED, DECIDER) is State.REFERRED
    assert [row["lead"] for row in export_findings(case_file.services)] == [lead_id]
    assert case_file.do(lead_id, StepKind.SET_ASIDE, DECIDER) is State.SET_ASIDE
    assert export_findings(case_file.services) == []


def test_what_is_exported_says_nothing_about_patients(case_file: CaseFile) -> None:
    lead_id = case_file.final()
    (row,) = export_findings(case_file.services)
    assert row == {
        "lead": lead_id, "institution": HOSPITAL, "source": "report", "state": "found",
        "found_on": "2026-11-20", "amount_fen": 20_110_000,
    }  # fmt: skip


# --- hands ----------------------------------------------------------------------------------


def test_who_reported_does_not_find(case_file: CaseFile) -> None:
    lead_id = case_file.open()
    case_file.do(lead_id, StepKind.ASKED, REPORTER)  # asking takes no side
    case_file.do(lead_id, StepKind.ANSWERED)
    with pytest.raises(SameHandsError, match="is the reporter of this case and cannot be its find"):
        case_file.do(lead_id, StepKind.FOUND, REPORTER, "substantiated", 1)


@pytest.mark.parametrize("person", [REPORTER, FINDER])
@pytest.mark.parametrize("outcome", ["upheld", "overturned"])
def test_who_reported_or_found_does_not_decide_the_appeal(
    case_file: CaseFile, person: str, outcome: str
) -> None:
    lead_id = case_file.found()
    case_file.do(lead_id, StepKind.APPEALED)
    with pytest.raises(SameHandsError, match="cannot be its decider"):
        case_file.do(lead_id, StepKind.REVIEWED, person, outcome)
    assert case_file.view(lead_id).state is State.APPEALED


@pytest.mark.parametrize("kind", [StepKind.ORDERED, StepKind.REFERRED, StepKind.SET_ASIDE])
def test_who_found_does_not_end_the_case(case_file: CaseFile, kind: StepKind) -> None:
    lead_id = case_file.final()
    with pytest.raises(SameHandsError, match="cannot be its decider"):
        case_file.do(lead_id, kind, FINDER)


@pytest.mark.parametrize("spelling", [f" {REPORTER} ", f"{REPORTER}\n"])
def test_blanks_around_a_name_make_no_other_person(case_file: CaseFile, spelling: str) -> None:
    lead_id = case_file.open()
    with pytest.raises(SameHandsError, match="cannot be its finder"):
        case_file.do(lead_id, StepKind.DISMISSED, spelling)


@pytest.mark.slow
def test_the_database_refuses_the_wrong_hands_by_itself(any_case_file: CaseFile) -> None:
    lead_id = any_case_file.found()
    at = any_case_file.services.clock.now()
    values = {
        "lead_id": lead_id, "ordinal": 9, "reason": "r", "at": at, "on_day": at.date(),
        "outcome": "upheld", "amount_fen": None, "due_on": None, "kind": "reviewed",
    }  # fmt: skip
    wrong = ((FINDER, "decider"), (FINDER, "finder"), (DECIDER, None), (DECIDER, "decider"))
    for by, part in wrong:
        with (
            pytest.raises(sa.exc.IntegrityError),
            any_case_file.services.engine.begin() as connection,
        ):
            connection.execute(tables.lead_step.insert().values(by=by, part=part, **values))
    with (
        pytest.raises(sa.exc.IntegrityError),
        any_case_file.services.engine.begin() as connection,
    ):
        connection.execute(
            tables.lead_part.insert().values(
                lead_id=lead_id, person=FINDER, part="decider", since=at
            )
        )


@pytest.mark.parametrize("table", ["lead", "lead_step", "lead_part"])
def test_what_happened_is_never_changed(case_file: CaseFile, table: str) -> None:
    case_file.found()
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
        with (
            pytest.raises(sa.exc.IntegrityError, match=f"{table} is insert-only"),
            case_file.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def test_staff_act_under_their_own_name_and_not_about_their_hospital(case_file: CaseFile) -> None:
    services = case_file.services
    with services.work() as work:
        for name, hospital in (("张一", None), ("李二", HOSPITAL)):
            person = Staff(
                services.ids.new_id("log"), f"user{name}", name, "reviewer", (), hospital,
                None, True, True,
            )  # fmt: skip
            work.people.add_login(Login(person.id, person.username, "x", "reviewer", None, True))
            work.staff.add(person)
        work.commit()
    with pytest.raises(NotFoundError, match="no one active member of staff called 报告人"):
        case_file.open()
    lead_id = case_file.open("张一")
    with pytest.raises(ForbiddenError, match="nobody handles a case of their own institution"):
        case_file.do(lead_id, StepKind.DISMISSED, "李二")
    with pytest.raises(SameHandsError, match="cannot be its finder"):
        case_file.do(lead_id, StepKind.DISMISSED, "user张一")  # the same person by user name


# --- what a step must say -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "by", "rest", "message"),
    [
        (StepKind.FOUND, FINDER, ("substantiated",), "an amount goes from 0"),
        (StepKind.FOUND, FINDER, ("substantiated", -5), "an amount goes from 0"),
        (StepKind.FOUND, FINDER, ("unfounded", 5), "carries no amount"),
        (StepKind.FOUND, FINDER, ("guilty", 5), "the outcome is one of: substantiated"),
        (StepKind.FOUND, FINDER, ("", 5), "the outcome is one of: substantiated"),
        (StepKind.FOUND, "", ("unfounded",), "name who acts"),
        (StepKind.FOUND, "system:revision", ("unfounded",), "without a colon"),
        (StepKind.FOUND, "长" * 61, ("unfounded",), "in up to 60"),
    ],
)
def test_a_finding_that_says_something_wrong_is_refused(
    case_file: CaseFile, kind: StepKind, by: str, rest: tuple[object, ...], message: str
) -> None:
    lead_id = case_file.open()
    case_file.do(lead_id, StepKind.ASKED)
    case_file.do(lead_id, StepKind.ANSWERED)
    with pytest.raises(BadStepError, match=message):
        case_file.do(lead_id, kind, by, *rest)
    assert len(case_file.view(lead_id).steps) == 3


@pytest.mark.parametrize("fen", [None, 1_000, 1_001, -1])
def test_a_reduced_finding_is_less_than_before(case_file: CaseFile, fen: int | None) -> None:
    lead_id = case_file.found(1_000)
    case_file.do(lead_id, StepKind.APPEALED)
    with pytest.raises(BadStepError, match="from 0 to 999 fen"):
        case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "reduced", fen)


def test_nothing_to_recover_is_not_ordered(case_file: CaseFile) -> None:
    lead_id = case_file.found(0)
    case_file.days()
    with pytest.raises(BadStepError, match="there is no amount to recover"):
        case_file.do(lead_id, StepKind.ORDERED, DECIDER)


def test_an_appeal_on_the_last_day_counts_and_one_day_later_not(case_file: CaseFile) -> None:
    on_time, late = case_file.found(), case_file.open(reference="2")
    case_file.do(late, StepKind.ASKED)
    case_file.do(late, StepKind.ANSWERED)
    case_file.do(late, StepKind.FOUND, FINDER, "substantiated", 5)
    case_file.days(14)  # 4 December, the tenth working day after 20 November
    assert case_file.do(on_time, StepKind.APPEALED) is State.APPEALED
    with pytest.raises(TooEarlyError, match="until 2026-12-04 to appeal"):
        case_file.do(late, StepKind.ORDERED, DECIDER)
    case_file.days(1)
    with pytest.raises(TooLateError, match="the last day for an appeal was 2026-12-04"):
        case_file.do(late, StepKind.APPEALED)
    assert case_file.do(late, StepKind.ORDERED, DECIDER) is State.ORDERED


def test_a_closed_case_takes_no_step_and_no_evidence(case_file: CaseFile) -> None:
    lead_id = case_file.open()
    case_file.do(lead_id, StepKind.DISMISSED, FINDER)
    with pytest.raises(WrongStepError, match="the lead is closed-unfounded"):
        case_file.do(lead_id, StepKind.ASKED)
    with pytest.raises(ConflictError, match="takes no evidence"):
        add_file(case_file.services, lead_id, PICTURE, "收费单", by=CLERK)


# --- opening and evidence -------------------------------------------------------------------


def test_the_same_report_opens_one_lead(case_file: CaseFile) -> None:
    assert case_file.open() == case_file.open(by="别人")
    assert case_file.open(reference="R-2") != case_file.open()


@pytest.mark.parametrize("kind", list(SubjectKind))
def test_a_lead_about_nothing_known_is_refused(case_file: CaseFile, kind: SubjectKind) -> None:
    with (
        case_file.services.work() as work,
        pytest.raises(NotFoundError, match=f"there is no {kind} nothing"),
    ):
        open_lead(
            case_file.services, work, Source.REPORT, Subject(kind, "nothing"), "r", by=REPORTER
        )


def test_evidence_is_kept_under_its_digest_and_once(case_file: CaseFile) -> None:
    services, lead_id = case_file.services, case_file.open()
    person = case_file.world.person()
    bill = case_file.world.bill(person, 100, dt.date(2026, 11, 3))
    with services.engine.connect() as connection:
        version = connection.execute(
            sa.select(tables.invoice_version.c.id).where(
                tables.invoice_version.c.invoice_id == bill
            )
        ).scalar_one()
    added = add_file(services, lead_id, PICTURE, "收费单", by=CLERK)
    assert added.digest == hashlib.sha256(PICTURE).digest()
    assert services.material_store.get(added.digest) == PICTURE
    row = add_row(services, lead_id, "invoice_version", version, "原票", by=CLERK)
    assert (row.ordinal, len(row.digest)) == (2, 32)
    with pytest.raises(ConflictError, match="this evidence is in the case already"):
        add_row(services, lead_id, "invoice_version", version, "原票", by=CLERK)
    with pytest.raises(NotFoundError, match="there is no decision nothing"):
        add_row(services, lead_id, "decision", "nothing", "决定", by=CLERK)
    with pytest.raises(NotFoundError, match="evidence points to audit_hit"):
        add_row(services, lead_id, "login", "log_1", "密码", by=CLERK)
    assert len(case_file.view(lead_id).evidence) == 2


def test_a_row_that_was_changed_no_longer_has_the_digest_of_the_evidence(
    case_file: CaseFile,
) -> None:
    services, first = case_file.services, case_file.open()
    case_file.world.bill(case_file.world.person(), 100, dt.date(2026, 11, 3))
    with services.engine.connect() as connection:
        version = connection.execute(sa.select(tables.invoice_version.c.id)).scalar_one()
    before = add_row(services, first, "invoice_version", version, "原票", by=CLERK)
    case_file.world.sql("UPDATE invoice_version SET total_fen = total_fen + 1")
    after = add_row(services, first, "invoice_version", version, "原票", by=CLERK)
    assert before.digest != after.digest


# --- days that pass -------------------------------------------------------------------------


def test_a_case_past_its_day_raises_an_alarm_that_its_next_step_ends(case_file: CaseFile) -> None:
    services, lead_id = case_file.services, case_file.open()
    case_file.do(lead_id, StepKind.ASKED)
    assert supervision_pass(services) == 0
    case_file.days(15)
    assert supervision_pass(services) == 1
    assert supervision_pass(services) == 0
    with services.work(write=False) as work:
        assert work.alarms.open_counts() == {LEAD_LATE: 1}
        assert [one.lead.id for one in overdue(services, work)] == [lead_id]
    case_file.do(lead_id, StepKind.FOUND, FINDER, "substantiated", 5)
    with services.work(write=False) as work:
        assert work.alarms.open_counts() == {}
    case_file.days()
    assert supervision_pass(services) == 0, "a finding that is final is not late"


def test_a_late_review_is_overdue_and_not_while_experts_are_asked(case_file: CaseFile) -> None:
    services, lead_id = case_file.services, case_file.found()
    case_file.do(lead_id, StepKind.APPEALED)
    case_file.do(lead_id, StepKind.EXPERT_ASKED)
    case_file.days(90)
    with services.work(write=False) as work:
        assert overdue(services, work) == []
    case_file.do(lead_id, StepKind.EXPERT_ANSWERED)
    with services.work(write=False) as work:
        assert overdue(services, work) == []
    case_file.days(40)
    with services.work(write=False) as work:
        assert [one.lead.id for one in overdue(services, work)] == [lead_id]


def test_a_version_that_lowers_an_amount_opens_one_lead(case_file: CaseFile) -> None:
    world, services = case_file.world, case_file.services
    from backend.service_layer.claims.submit import submit

    person = world.person()
    bill = world.bill(person, 400, dt.date(2026, 11, 3))
    world.anchor()
    (claim,) = submit(services, person.id, [bill], "t" * 43, has_consent=True).claims
    at = services.clock.now()
    with services.engine.begin() as connection:
        connection.execute(
            tables.revision_request.insert().values(
                id="rvq_1", claim_id=claim.id, kind="revision", decision_version=1, number=1,
                code="late-filing", text="", source_reference="", named_by="system",
                seconded_by="", amount_before_fen=10, amount_after_fen=5, explanation="{}",
                filed_at=at, promised_on=at.date(), legal_limit_on=at.date(),
            )
        )  # fmt: skip
        connection.execute(
            tables.revision_outcome.insert().values(
                request_id="rvq_1", outcome="upheld", reason="r", decided_by="某人",
                decided_at=at, effect="lower", version=None,
            )
        )  # fmt: skip
    assert supervision_pass(services) == 1
    assert supervision_pass(services) == 0
    (one,) = list_leads(services)
    assert (one.lead.source, one.lead.subject_id) == (Source.REVISION, claim.id)
    assert json.dumps(one.lead.source_reference) == '"rvq_1"'
