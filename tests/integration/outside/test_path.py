"""The whole path of a bill from outside: handed in, checked, anchored, confirmed, paid."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from backend.adapters.einvoice.writers import invoice_to_json
from backend.domain.claim import ClaimState
from backend.domain.errors import NotFoundError
from backend.service_layer.claims.benefits import adjudicate_claim
from backend.service_layer.claims.decide import store_decision
from backend.service_layer.claims.outside_gate import UnconfirmedOutsideBillError
from backend.service_layer.handling.confirm_outside import confirm_claim
from backend.service_layer.outside.check import Findings, accept_document, carry_on, refuse_document
from backend.service_layer.outside.errors import (
    AgencyMissingError,
    StepRefusedError,
    TranscriptError,
)
from backend.service_layer.outside.records import HospitalFacts, OutsideState, StepKind
from backend.service_layer.outside.transcript import compare_bill, type_bill
from backend.service_layer.outside.upload import withdraw_bill
from backend.service_layer.outside.view import bill_of_person, open_file
from tests.integration.claims.world import World
from tests.integration.outside.desk import (
    AGENCY,
    ELSEWHERE,
    accept,
    anchor_all,
    claim_on,
    desk,
    give,
    invoice_of,
    ofd_of,
    picture_of,
    transcribe,
    xml_of,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return desk(tmp_path)


def to_pended(world: World, bill):  # type: ignore[no-untyped-def]
    """Anchor, screen and lodge; the claim then waits for the insured place."""
    anchor_all(world)
    world.run()
    return claim_on(world, bill)


def test_a_bill_from_elsewhere_is_checked_anchored_confirmed_and_paid(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)), lists=(picture_of("list"),))
    assert bill.state is OutsideState.CHECKING
    assert accept(world, bill).state is OutsideState.ACCEPTED
    claim = to_pended(world, bill)
    assert (claim.state, claim.origin) == (ClaimState.PENDED, "outside")
    with world.services.work(write=False) as work:
        pends = [(one.code, one.queue) for one in work.claims.pends_of(claim.id)]
        stored = work.claims.bill_of_version(claim.version_id)
        record = work.invoices.record_of(claim.version_id)
    assert ("outside-bill", "outside") in pends
    assert (stored.institution_code, stored.institution_name) == (AGENCY, "示例上海医院")
    assert (stored.hospital_level, stored.hospital_area, stored.is_outside) == (3, "310104", True)
    assert record["care_institution_code"] == ELSEWHERE.code
    assert {entry["type"] for entry in record["attachments"]} == {"original"}
    assert len(record["attachments"]) == 2
    confirm_claim(world.services, bill.id, "经办员丁", "与参保人电话核实", approves=True)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    assert decision.decided_by == "经办员丁"
    explained = json.loads(decision.explanation)
    assert (explained["hospital_code"], explained["hospital_level"]) == (ELSEWHERE.code, 3)


@pytest.mark.slow
def test_a_refusal_by_the_insured_place_is_stamped_and_nothing_is_paid(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    accept(world, bill)
    claim = to_pended(world, bill)
    confirm_claim(world.services, bill.id, "经办员丁", "已由商业保险全额赔付", approves=False)
    world.run()
    assert world.claim(claim.id).state is ClaimState.REFUSED
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
    assert decision is not None
    assert (decision.outcome, decision.paid_fen) == ("refused", 0)


@pytest.mark.slow
def test_a_picture_is_typed_by_one_and_compared_by_another(world: World) -> None:
    person = world.person()
    bill = give(world, person, picture_of())
    assert (bill.state, bill.live_key) == (OutsideState.TYPING, None)
    compared = transcribe(world, bill, invoice_of(person))
    assert compared.state is OutsideState.CHECKING
    assert compared.live_key is not None
    accept(world, compared)
    claim = to_pended(world, compared)
    assert claim.state is ClaimState.PENDED


@pytest.mark.slow
def test_the_typist_may_not_compare_their_own_typing(world: World) -> None:
    person = world.person()
    bill = give(world, person, picture_of())
    type_bill(world.services, bill.id, invoice_to_json(invoice_of(person)), "录入员甲")
    with pytest.raises(StepRefusedError, match="another person takes this one"):
        compare_bill(world.services, bill.id, "录入员 甲 ")


@pytest.mark.slow
def test_a_second_typing_shows_every_difference_and_waits_for_another(world: World) -> None:
    person = world.person()
    services = world.services
    bill = give(world, person, picture_of())
    first = invoice_of(person)
    second = dataclasses.replace(first, check_code="zzzzzz", payer_name="别名")
    type_bill(services, bill.id, invoice_to_json(first), "录入员甲")
    compared = compare_bill(services, bill.id, "录入员乙", invoice_to_json(second))
    assert [one.path for one in compared.differences] == ["/check_code", "/payer_name"]
    assert compared.bill.state is OutsideState.COMPARING
    with pytest.raises(StepRefusedError, match="another person takes this one"):
        compare_bill(services, bill.id, "录入员乙")
    agreed = compare_bill(services, bill.id, "录入员甲", invoice_to_json(second))
    assert agreed.bill.state is OutsideState.CHECKING


@pytest.mark.slow
def test_what_is_typed_wrong_is_refused_with_every_fault(world: World) -> None:
    person = world.person()
    bill = give(world, person, picture_of())
    wrong = dataclasses.replace(invoice_of(person), own_pay_fen=1, check_code="")
    with pytest.raises(TranscriptError, match=r"2 fault\(s\)") as caught:
        type_bill(world.services, bill.id, invoice_to_json(wrong), "录入员甲")
    assert {fault["code"] for fault in caught.value.errors} == {"payer-split-differs", "required"}


@pytest.mark.slow
def test_typed_lines_must_keep_to_what_the_file_states(world: World) -> None:
    person = world.person()
    whole = invoice_of(person)
    bill = give(world, person, xml_of(dataclasses.replace(whole, lines=())))
    assert bill.state is OutsideState.TYPING
    other = dataclasses.replace(whole, payer_name="别名")
    with pytest.raises(TranscriptError, match="differs from the file: /payer_name"):
        type_bill(world.services, bill.id, invoice_to_json(other), "录入员甲")
    assert transcribe(world, bill, whole).state is OutsideState.CHECKING


def test_nobody_does_two_steps_of_one_bill(world: World) -> None:
    person = world.person()
    bill = give(world, person, picture_of(), by="窗口员戊")
    services = world.services
    type_bill(services, bill.id, invoice_to_json(invoice_of(person)), "窗口员戊")  # allowed
    with pytest.raises(StepRefusedError, match="another person"):
        compare_bill(services, bill.id, "窗口员戊")
    compare_bill(services, bill.id, "录入员乙")
    for name in ("窗口员戊", "录入员乙"):
        with pytest.raises(StepRefusedError, match="another person"):
            accept(world, bill, by=name)
    accept(world, bill)
    claim = to_pended(world, bill)
    for name in ("窗口员戊", "录入员乙", "审核员丙", "审核员丙　"):
        with pytest.raises(StepRefusedError, match="another person"):
            confirm_claim(services, bill.id, name, "一致", approves=True)
    assert world.claim(claim.id).state is ClaimState.PENDED


def test_no_machine_and_no_nobody_signs(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    names = ("", "  ", "machine", "Machine", "ｍａｃｈｉｎｅ", "system", "citizen", "x" * 61)
    for by in names:
        with pytest.raises(StepRefusedError, match="no machine takes this step"):
            accept(world, bill, by=by)
    accept(world, bill)
    to_pended(world, bill)
    for by in names:
        with pytest.raises(StepRefusedError, match="no machine takes this step"):
            confirm_claim(world.services, bill.id, by, "一致", approves=True)


def test_a_machine_cannot_decide_even_when_every_reason_is_resolved(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    accept(world, bill)
    claim = to_pended(world, bill)
    with world.services.work() as work:  # as if something else had resolved the reason
        work.claims.resolve_pends(claim.id, "somebody", "ok", world.services.clock.now())
        work.claims.update(
            claim.id, claim.state, world.services.clock.now(), state=ClaimState.LODGED
        )
        work.commit()
    world.run()
    assert world.claim(claim.id).state is ClaimState.PENDED
    with world.services.work() as work:
        again = [one for one in work.claims.pends_of(claim.id) if one.resolved_at is None]
        assert [one.code for one in again] == ["outside-bill"]
        adjudicated = adjudicate_claim(
            world.services, work, claim, work.claims.bill_of_version(claim.version_id)
        )
        with pytest.raises(UnconfirmedOutsideBillError, match="only after a person"):
            store_decision(
                world.services, work, claim, adjudicated,
                outcome="approved", decided_by="machine", reason="",
            )  # fmt: skip
    assert world.claim(claim.id).decision_version == 0


@pytest.mark.slow
def test_a_claim_is_not_confirmed_before_it_is_lodged(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    with pytest.raises(StepRefusedError, match="no claim on this bill"):
        confirm_claim(world.services, bill.id, "经办员丁", "一致", approves=True)
    accept(world, bill)
    with pytest.raises(StepRefusedError, match="cannot be confirmed now"):
        confirm_claim(world.services, bill.id, "经办员丁", "一致", approves=True)


@pytest.mark.slow
def test_the_check_needs_every_finding_and_a_sound_place_of_care(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    for findings in (Findings(True, False), Findings(False, True)):
        with pytest.raises(StepRefusedError, match="confirm that the document is authentic"):
            accept_document(
                world.services, bill.id, by="丙", hospital=ELSEWHERE, findings=findings,
                reason="x",
            )  # fmt: skip
    for hospital in (
        HospitalFacts("", "医院", 3, "310104"),
        HospitalFacts("X1", " ", 3, "310104"),
        HospitalFacts("X1", "医院", 4, "310104"),
        HospitalFacts("X1", "医院", 3, "3101"),
        HospitalFacts("X-1", "医院", 3, "310104"),
    ):
        with pytest.raises(StepRefusedError, match="state the place of care"):
            accept(world, bill, hospital=hospital)
    with world.services.work(write=False) as work:
        assert work.outside.get(bill.id).state is OutsideState.CHECKING


@pytest.mark.slow
def test_a_refused_document_frees_its_number_and_tells_why(world: World) -> None:
    person = world.person()
    data = xml_of(invoice_of(person))
    bill = give(world, person, data)
    refused = refuse_document(world.services, bill.id, "审核员丙", "查验平台没有这张票据")
    assert (refused.state, refused.reason_zh) == (OutsideState.REFUSED, "查验平台没有这张票据")
    with pytest.raises(StepRefusedError, match="refused"):
        accept(world, bill, by="审核员己")
    assert give(world, person, data).state is OutsideState.CHECKING


@pytest.mark.slow
def test_a_bill_is_withdrawn_by_its_person_only_and_only_before_the_check(world: World) -> None:
    person, other = world.person(), world.person("测试乙丑", "citizen02")
    bill = give(world, person, xml_of(invoice_of(person)))
    with pytest.raises(NotFoundError, match="no such bill"):
        withdraw_bill(world.services, other.id, bill.id)
    with pytest.raises(NotFoundError, match="no such bill"):
        bill_of_person(world.services, other.id, bill.id)
    assert withdraw_bill(world.services, person.id, bill.id).state is OutsideState.WITHDRAWN
    with pytest.raises(StepRefusedError, match="withdrawn"):
        withdraw_bill(world.services, person.id, bill.id)
    again = give(world, person, xml_of(invoice_of(person)))
    accept(world, again)
    with pytest.raises(StepRefusedError, match="not possible now"):
        withdraw_bill(world.services, person.id, again.id)


@pytest.mark.slow
def test_without_the_agency_as_issuer_nothing_is_accepted(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    with pytest.raises(AgencyMissingError, match="set-up-agency"):
        accept(world, bill)


@pytest.mark.slow
def test_what_a_fault_interrupted_is_carried_on(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    from backend.service_layer.outside import check

    def fails(*args: object, **named: object) -> None:
        raise OSError("killed")

    monkeypatch.setattr(check, "submit", fails)
    with pytest.raises(OSError, match="killed"):
        accept(world, bill)
    monkeypatch.undo()
    with world.services.work(write=False) as work:
        assert work.outside.get(bill.id).state is OutsideState.ANCHORING
    assert carry_on(world.services) == 1
    assert carry_on(world.services) == 0
    with world.services.work(write=False) as work:
        assert work.outside.get(bill.id).state is OutsideState.ACCEPTED
        assert len(work.claims.submissions_of(person.id)) == 1


@pytest.mark.slow
def test_a_bill_that_stays_stuck_raises_an_alarm_and_the_others_go_on(world: World) -> None:
    person = world.person()
    bills = [give(world, person, xml_of(invoice_of(person, f"000000000{n}"))) for n in (1, 2)]
    with world.services.work() as work:
        for bill in bills:
            checked = dataclasses.replace(
                work.outside.get(bill.id), state=OutsideState.ANCHORING,
                hospital_code="X1", hospital_name="示例上海医院", hospital_level=3,
                area_code="310104",
            )  # fmt: skip
            if bill is bills[0]:
                checked = dataclasses.replace(checked, record="{")
            work.outside.update(checked, bill.state)
        work.commit()
    assert carry_on(world.services) == 1
    with world.services.work(write=False) as work:
        states = [work.outside.get(bill.id).state for bill in bills]
        counts = work.alarms.open_counts()
    assert states == [OutsideState.ANCHORING, OutsideState.ACCEPTED]
    assert counts["outside-bill-stuck"] == 1


@pytest.mark.slow
def test_an_emergency_elsewhere_is_paid_as_one(world: World) -> None:
    person = world.person()
    facts = dataclasses.replace(ELSEWHERE, is_emergency=True)
    plain, urgent = invoice_of(person, "0000000001"), invoice_of(person, "0000000002")
    for invoice, hospital in ((plain, ELSEWHERE), (urgent, facts)):
        accept(world, give(world, person, xml_of(invoice)), hospital=hospital)
    with world.services.work(write=False) as work:
        claims = [
            work.decisions.latest_calculation(work.claims.of_submission(one.id)[0].id)
            for one in work.claims.submissions_of(person.id)
        ]
        statuses = {json.loads(one.explanation)["remote_status"] for one in claims if one}
    assert statuses == {"own-choice", "emergency-not-filed"}


@pytest.mark.slow
def test_pictures_are_shown_without_metadata_and_originals_kept(world: World) -> None:
    person = world.person()
    data = picture_of()
    bill = give(world, person, data)
    with world.services.work(write=False) as work:
        (file,) = work.outside.files_of(bill.id)
    shown = open_file(world.services, bill.id, file.digest, "审核员丙")
    assert (shown.media_type, shown.name) == ("image/jpeg", f"{bill.number}-1.jpg")
    assert shown.data != data
    kept = open_file(world.services, bill.id, file.digest, "审核员丙", is_original=True)
    assert kept.data == data
    with pytest.raises(NotFoundError, match="no such file"):
        open_file(world.services, bill.id, b"\0" * 32, "审核员丙")


@pytest.mark.slow
def test_steps_are_recorded_with_their_people(world: World) -> None:
    person = world.person()
    bill = give(world, person, ofd_of(xml_of(invoice_of(person))))
    accept(world, bill)
    to_pended(world, bill)
    confirm_claim(world.services, bill.id, "经办员丁", "一致", approves=True)
    view = bill_of_person(world.services, person.id, bill.id)
    assert [(step.step, step.by) for step in view.steps] == [
        (StepKind.UPLOAD, "citizen"),
        (StepKind.CARE_PLACE, "审核员丙"),
        (StepKind.INSURED_PLACE, "经办员丁"),
    ]
