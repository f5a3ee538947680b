"""One number, one bill: in whatever format, from whomever, before or after the hospital."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.einvoice.writers import invoice_to_json
from backend.domain.claim import ClaimState
from backend.domain.invoice import Invoice
from backend.service_layer.claims.records import Person
from backend.service_layer.handling.confirm_outside import confirm_claim
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.drafting import Upload
from backend.service_layer.intake.upload_invoice import upload_invoice
from backend.service_layer.outside.errors import DuplicateBillError, NotClaimableError
from backend.service_layer.outside.matching import keys_of
from backend.service_layer.outside.records import HospitalFacts, OutsideState
from backend.service_layer.outside.transcript import compare_bill, type_bill
from backend.service_layer.outside.view import member_gaps
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.outside.desk import (
    DAY,
    accept,
    anchor_all,
    claim_on,
    desk,
    give,
    invoice_of,
    ofd_of,
    picture_of,
    token,
    transcribe,
    xml_of,
)

MEMBER = {"institution_code": HOSPITAL, "institution_name": "示例市第一医院"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return desk(tmp_path)


def test_the_key_is_one_in_every_format(world: World) -> None:
    person = world.person()
    invoice = invoice_of(person)
    key, _ = keys_of(world.services, invoice)
    documents = world.services.documents
    for data in (xml_of(invoice), ofd_of(xml_of(invoice))):
        assert keys_of(world.services, documents.recognise(data).parsed.invoice)[0] == key
    typed = documents.read_typed(invoice_to_json(invoice)).invoice
    assert keys_of(world.services, typed)[0] == key


def test_the_same_bill_again_is_refused_naming_the_first(world: World) -> None:
    person = world.person()
    for number, first, second in (("1", 0, 0), ("2", 0, 1), ("3", 1, 0), ("4", 1, 1)):
        xml = xml_of(invoice_of(person, number.zfill(10)))
        formats = (xml, ofd_of(xml))
        bill = give(world, person, formats[first])
        with pytest.raises(DuplicateBillError, match=bill.number):
            give(world, person, formats[second])


@pytest.mark.slow
def test_nothing_is_kept_of_a_bill_that_is_refused(world: World) -> None:
    person = world.person()
    folder = world.services.settings.var_dir / "outside"
    give(world, person, xml_of(invoice_of(person)))
    before = sorted(folder.rglob("*"))
    with pytest.raises(DuplicateBillError, match="here already"):
        give(world, person, ofd_of(xml_of(invoice_of(person))), lists=(picture_of("other"),))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_the_same_form_again_is_the_same_bill(world: World) -> None:
    person = world.person()
    form = token()
    first = give(world, person, xml_of(invoice_of(person)), form=form)
    assert give(world, person, xml_of(invoice_of(person)), form=form) == first


def test_a_bill_of_another_person_is_neither_taken_nor_told(world: World) -> None:
    person, other = world.person(), world.person("测试乙丑", "citizen02")
    with pytest.raises(NotClaimableError, match="not yours"):
        give(world, other, xml_of(invoice_of(person)))
    nameless = invoice_of(person, payer_id="")
    bill = give(world, person, xml_of(nameless))
    with pytest.raises(DuplicateBillError, match="here already; nothing") as caught:
        give(world, other, xml_of(nameless))
    assert bill.number not in caught.value.zh
    assert person.name not in caught.value.zh


@pytest.mark.slow
def test_the_very_same_picture_is_refused_and_another_picture_when_it_is_typed(
    world: World,
) -> None:
    person = world.person()
    give(world, person, picture_of("one"))
    with pytest.raises(DuplicateBillError, match="is here already"):
        give(world, person, picture_of("one"))
    first = give(world, person, xml_of(invoice_of(person)))
    again = give(world, person, picture_of("two"))
    ended = transcribe(world, again, invoice_of(person))
    assert (ended.state, ended.reason_code) == (OutsideState.REFUSED, "duplicate")
    assert first.number in (ended.reason_zh or "")


@pytest.mark.slow
def test_a_bill_that_prints_two_numbers_holds_both(world: World) -> None:
    person = world.person()
    two = invoice_of(person, second_number_code="", second_number="26332000000000012345")
    give(world, person, xml_of(two))
    other = invoice_of(person, "26332000000000012345", invoice_code="", check_code="")
    with pytest.raises(DuplicateBillError, match="is here already"):
        give(world, person, xml_of(other))


@pytest.mark.slow
def test_an_accepted_bill_is_claimed_once_and_not_taken_again(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    accept(world, bill)
    with pytest.raises(DuplicateBillError, match=bill.number):
        give(world, person, ofd_of(xml_of(invoice_of(person))))
    anchor_all(world)
    world.run()
    confirm_claim(world.services, bill.id, "经办员丁", "一致", approves=True)
    world.run()
    with pytest.raises(DuplicateBillError, match=bill.number):
        give(world, person, xml_of(invoice_of(person)))


# --- member hospitals ----------------------------------------------------------------------------


def store_as_member(world: World, person: Person, number: str) -> str:
    return world.store(invoice_of(person, number, **MEMBER))


@pytest.mark.slow
def test_a_bill_that_its_hospital_has_uploaded_is_matched_never_anchored_anew(
    world: World,
) -> None:
    person = world.person()
    store_as_member(world, person, "0000000007")
    bill = give(world, person, xml_of(invoice_of(person, "0000000007", **MEMBER)))
    assert (bill.state, bill.reason_code) == (OutsideState.MATCHED, "uploaded-by-hospital")
    assert bill.live_key is None
    picture = give(world, person, picture_of())
    matched = transcribe(world, picture, invoice_of(person, "0000000007", **MEMBER))
    assert matched.state is OutsideState.MATCHED
    with world.services.work(write=False) as work:
        key, _ = keys_of(world.services, invoice_of(person, "0000000007"))
        assert [one.institution_code for one in work.invoices.with_keys([key])] == [HOSPITAL]


@pytest.mark.slow
def test_a_record_of_somebody_else_at_the_hospital_is_not_offered(world: World) -> None:
    person, other = world.person(), world.person("测试乙丑", "citizen02")
    store_as_member(world, other, "0000000007")
    bill = give(world, person, xml_of(invoice_of(person, "0000000007", payer_id="", **MEMBER)))
    assert (bill.state, bill.reason_code) == (OutsideState.REFUSED, "another-person")


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [MEMBER, {"institution_name": "示例市 第一医院 "}, {"institution_code": HOSPITAL.lower()}],
    ids=["code and name", "name alone", "code alone"],
)
def test_a_member_that_has_not_uploaded_is_never_taken_and_the_gap_is_noted(
    world: World, changes: dict[str, str]
) -> None:
    person = world.person()
    invoice = invoice_of(person, "0000000008", **changes)
    bill = give(world, person, xml_of(invoice))
    assert (bill.state, bill.reason_code) == (OutsideState.REFUSED, "member-not-uploaded")
    (gap,) = member_gaps(world.services)
    assert (gap.institution_code, gap.bill_number, gap.is_closed) == (HOSPITAL, bill.number, False)
    give(world, person, xml_of(invoice))  # asked again: still one gap
    store_as_member(world, person, "0000000008")
    (gap,) = member_gaps(world.services)
    assert gap.is_closed


@pytest.mark.slow
def test_a_member_that_only_the_reviewer_recognises_ends_the_bill(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person, institution_name="示例一院")))
    assert bill.state is OutsideState.CHECKING
    ended = accept(world, bill, hospital=HospitalFacts("X1", "示例市第一医院", 2, "330800"))
    assert (ended.state, ended.reason_code) == (OutsideState.REFUSED, "member-not-uploaded")
    assert ended.live_key is None
    assert len(member_gaps(world.services)) == 1


@pytest.mark.slow
def test_a_hospital_that_uploads_while_the_bill_waits_ends_it_as_matched(world: World) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    join(world, "SH0000000001", "示例上海医院")
    as_member(world, invoice_of(person))
    ended = accept(world, bill)
    assert ended.state is OutsideState.MATCHED


def join(world: World, code: str, name: str) -> None:
    with world.services.engine.begin() as connection:
        row = connection.execute(
            sa.select(tables.institution).where(tables.institution.c.code == HOSPITAL)
        ).one()
        values = dict(row._mapping) | {
            "code": code, "name": name, "custody": "custodial", "ledger_number": 5,
            "ledger_account": "0x00000000000000000000000000000000000000C5",
        }  # fmt: skip
        connection.execute(sa.insert(tables.institution).values(values))


def as_member(world: World, invoice: Invoice) -> str:
    with world.services.work(write=False) as work:
        institution = work.institutions.get(invoice.institution_code)
    parsed = ParsedInvoice(invoice, (), frozenset(), lambda path: path, "json")
    return upload_invoice(world.services, institution, Upload(parsed, b"{}")).invoice_id


def test_a_hospital_that_joins_later_opens_a_dispute_and_nothing_is_paid_twice(
    world: World,
) -> None:
    person = world.person()
    bill = give(world, person, xml_of(invoice_of(person)))
    accept(world, bill)
    join(world, "SH0000000001", "示例上海医院")
    as_member(world, invoice_of(person))
    with world.services.work(write=False) as work:
        key, _ = keys_of(world.services, invoice_of(person))
        (dispute,) = work.disputes.of_keys([key])
    assert dispute.state == "open"
    anchor_all(world)
    world.run()
    claim = claim_on(world, bill)
    assert (claim.state, claim.waiting_for) == (ClaimState.SUBMITTED, "dispute")
    assert not world.ledger.slots


# --- races ---------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def racing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    made = desk(tmp_path, url)
    yield made
    made.services.engine.dispose()


def race(world: World, tries: list[tuple[Person, bytes]]) -> list[str]:
    barrier = threading.Barrier(len(tries))
    told = [""] * len(tries)

    def one(index: int) -> None:
        person, data = tries[index]
        barrier.wait()
        try:
            told[index] = give(world, person, data).state
        except DuplicateBillError:
            told[index] = "duplicate"

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(tries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return sorted(str(one) for one in told)


@pytest.mark.slow
def test_of_many_uploads_at_once_one_is_taken(racing: World) -> None:
    people = [racing.person(f"测试{i}", f"citizen{i:02d}") for i in range(1, 5)]
    xml = xml_of(invoice_of(people[0], payer_id=""))
    tries = [(person, data) for person in people for data in (xml, ofd_of(xml))]
    assert race(racing, tries) == ["checking"] + ["duplicate"] * 7


@pytest.mark.slow
def test_of_many_pictures_typed_at_once_one_is_taken(racing: World) -> None:
    people = [racing.person(f"测试{i}", f"citizen{i:02d}") for i in range(1, 5)]
    bills = []
    for index, person in enumerate(people):
        bill = give(racing, person, picture_of(f"page {index}"))
        invoice = dataclasses.replace(invoice_of(people[0], payer_id=""), visit_on=DAY)
        type_bill(racing.services, bill.id, invoice_to_json(invoice), "录入员甲")
        bills.append(bill)
    barrier = threading.Barrier(len(bills))
    told: list[str] = []

    def one(bill_id: str) -> None:
        barrier.wait()
        told.append(str(compare_bill(racing.services, bill_id, "录入员乙").bill.state))

    threads = [threading.Thread(target=one, args=(bill.id,)) for bill in bills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(told) == ["checking", "refused", "refused", "refused"]
