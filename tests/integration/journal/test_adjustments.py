"""The correcting entry takes two people, a fact that it corrects, and money that is there."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.bank_statement_repository import BankStatementRepository
from backend.domain import journal
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.journal import (
    EventKind,
    JournalConflictError,
    JournalError,
    Layer,
    LayerAmounts,
    PeriodClosedError,
)
from backend.domain.two_people import SamePersonError
from backend.service_layer.journal.adjustments import (
    FundShortError,
    Wanted,
    confirm,
    propose,
    refuse,
)
from backend.service_layer.journal.checking import check_journal
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.journal.money_tables import MoneyTables, read_tables
from backend.service_layer.journal.month_statement import open_items
from backend.service_layer.money_reconciliation.statement_rules import BankMovement, statements
from backend.service_layer.payout.records import EntrySide, StatementEntry
from backend.service_layer.payout.statements import StoredStatement, WithdrawalStep
from tests.integration.journal import raw
from tests.integration.journal.month_world import CITY, book_now, noon, said, services_on

NOW = noon(11, 20)
ONE, TWO = "会计甲", "会计乙"
DEPOSITED, FEE, INTEREST, LOST = 1_000_00, 12_50, 3_00, 90_00
LOST_NAME = "BX20261120000009-01-V1-A1"
MOVED = (
    ("credit", DEPOSITED, "D1", ""),
    ("debit", FEE, "FEE-1", ""),
    ("credit", INTEREST, "INT-1", ""),
    ("debit", LOST, "B9", LOST_NAME),
)


class Office:
    """A fund with one deposit, and the bank's statement of 19 and 20 November."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.services: Any = services_on(engine, NOW)
        self.pays_in("D1", DEPOSITED)
        day = dt.date(2026, 11, 20)
        with engine.begin() as connection:
            connection.execute(
                tables.bank_message.insert().values(
                    id="bmg_1", name="st.xml", digest=bytes(32), wrapped_content=b"",
                    received_at=NOW, verdict="filed", difference="",
                )
            )  # fmt: skip
        with self.services.work() as work:
            work.bank_statements.add(
                StoredStatement(
                    "bst_1", "330800", "ACC", "1", noon(11, 19), NOW + dt.timedelta(hours=1), 0,
                    DEPOSITED - FEE + INTEREST - LOST, 4, False, "bmg_1",
                ),
                [StatementEntry(EntrySide(s), fen, r, e, day) for s, fen, r, e in MOVED],
            )  # fmt: skip
            work.commit()

    def pays_in(self, reference: str, fen: int, layer: Layer = Layer.POOL) -> bool:
        return deposit(self.services, CITY, layer, fen, reference=reference, by=ONE, reason="拨款")

    def proposes(self, kind: EventKind, fen: int, reference: str = "", **more: Any) -> int:
        values = {"insurance_type": "310"} | more
        wanted = Wanted(kind, "330800", amount_fen=fen, reference=reference, **values)
        return propose(self.services, wanted, by=ONE, reason="回单").number

    def books(self, kind: EventKind, fen: int, reference: str = "", **more: Any) -> int:
        number = self.proposes(kind, fen, reference, **more)
        confirm(self.services, number, by=TWO, reason="核对无误")
        return number

    def r19(self) -> list[tuple[str, str]]:
        with self.services.work(write=False) as work:
            found = statements(self.services, work, {}, NOW)
            return [(one.subject, one.here) for one in found]

    def r16(self) -> list[str]:
        with self.services.work(write=False) as work:
            found = work.money_rules.payment_rules(NOW, set())
            return [one.there for one in found if one.rule == "R16"]

    def tables(self) -> MoneyTables:
        with self.services.work(write=False) as work:
            return read_tables(work, dt.date(2026, 11, 1), dt.date(2026, 11, 30))

    def balance(self, account: str) -> int:
        with self.services.work(write=False) as work:
            return int(work.journal.balance(f"{account}:330800"))

    def entries(self) -> int:
        with self.engine.connect() as connection:
            count = sa.select(sa.func.count()).select_from(tables.journal_entry)
            return int(connection.execute(count).scalar_one())


@pytest.fixture
def office(sqlite: sa.Engine) -> Office:
    return Office(sqlite)


REFUSED: dict[str, tuple[EventKind, int, str, dict[str, Any], type[DomainError], str]] = {
    "a movement that no statement has": (
        EventKind.BANK_CHARGE, FEE, "FEE-2", {}, NotFoundError, "no statement of the bank"),
    "a charge that came": (
        EventKind.BANK_CHARGE, INTEREST, "INT-1", {}, NotFoundError, "no statement of the bank"),
    "interest that left": (
        EventKind.BANK_INTEREST, FEE, "FEE-1", {}, NotFoundError, "no statement of the bank"),
    "interest that is said to have left": (
        EventKind.BANK_INTEREST, INTEREST, "INT-1", {"side": "debit"}, JournalError, "it came"),
    "another amount than the bank's": (
        EventKind.BANK_CHARGE, FEE + 1, "FEE-1", {}, JournalError, "which has 12.50 yuan"),
    "suspense without a direction": (
        EventKind.SUSPENSE, LOST, LOST_NAME, {}, JournalError, "say credit"),
    "a movement that is booked": (
        EventKind.SUSPENSE, DEPOSITED, "D1", {"side": "credit"}, ConflictError, "booked already"),
    "more than a movement has": (
        EventKind.SUSPENSE, INTEREST + 1, "INT-1", {"side": "credit"}, JournalError,
        "which has 3.00 yuan"),
    "a deposit that is not there": (
        EventKind.DEPOSIT_REVERSED, 1, "D9", {}, NotFoundError, "no deposit is booked"),
    "a part of a deposit": (
        EventKind.DEPOSIT_REVERSED, 500_00, "D1", {}, JournalError, "which is 1,000.00 yuan"),
    "a deposit of another fund": (
        EventKind.DEPOSIT_REVERSED, DEPOSITED, "D1", {"insurance_type": "390"}, JournalError,
        "in the books of 330800 310"),
    "an event that is no adjustment": (
        EventKind.PAID, 1, "D1", {"side": "credit"}, JournalError, "no such adjustment"),
    "suspense that is not there": (
        EventKind.SUSPENSE_CLEARED, 1, "", {"suspense": 7, "layer": Layer.POOL}, NotFoundError,
        "no such money in suspense"),
    "a charge to a fund that has nothing": (
        EventKind.BANK_CHARGE, FEE, "FEE-1", {"insurance_type": "390"}, FundShortError,
        "has 0.00 yuan"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_proposed(office: Office, case: str) -> None:
    kind, fen, reference, more, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        office.proposes(kind, fen, reference, **more)
    with office.services.work(write=False) as work:
        assert work.adjustments.all() == []


def test_nobody_proposes_without_a_name_and_a_reason(office: Office) -> None:
    wanted = Wanted(EventKind.BANK_CHARGE, "330800", "310", FEE, "FEE-1")
    for by, reason in ((" ", "x"), ("x", " ")):
        with pytest.raises(JournalError, match="give who acts and a reason"):
            propose(office.services, wanted, by=by, reason=reason)
    with pytest.raises(JournalError, match="too long"):
        propose(office.services, wanted, by="x" * 61, reason="x")


def test_one_person_is_not_two_and_a_proposal_books_nothing(office: Office) -> None:
    number = office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1")
    assert office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1") == number, "said again"
    for name in (ONE, " 会计甲 "):
        with pytest.raises(SamePersonError, match="another person does this"):
            confirm(office.services, number, by=name, reason="x")
    with pytest.raises(ConflictError, match="adjustment 1 of it waits"):
        office.proposes(EventKind.SUSPENSE, FEE, "FEE-1", side="debit")
    with pytest.raises(NotFoundError, match="there is no adjustment 9"):
        confirm(office.services, 9, by=TWO, reason="x")
    assert office.entries() == 1
    assert office.balance("bank") == DEPOSITED


def test_what_is_refused_is_never_booked_and_can_be_proposed_again(office: Office) -> None:
    number = office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1")
    refuse(office.services, number, by=TWO, reason="没有回单")
    for act in (confirm, refuse):
        with pytest.raises(ConflictError, match="confirmed or refused already"):
            act(office.services, number, by=TWO, reason="x")
    assert office.entries() == 1
    assert office.books(EventKind.BANK_CHARGE, FEE, "FEE-1") == 2


def test_a_movement_is_booked_once(office: Office) -> None:
    number = office.books(EventKind.BANK_CHARGE, FEE, "FEE-1")
    with pytest.raises(ConflictError, match="confirmed or refused already"):
        confirm(office.services, number, by=TWO, reason="x")
    for kind, more in ((EventKind.BANK_CHARGE, {}), (EventKind.SUSPENSE, {"side": "debit"})):
        with pytest.raises(ConflictError, match="booked already"):
            office.proposes(kind, FEE, "FEE-1", **more)
    assert office.balance("bank") == DEPOSITED - FEE


def test_a_deposit_is_reversed_once_and_its_reference_takes_the_right_one(office: Office) -> None:
    with pytest.raises(
        JournalConflictError, match=r"^.* / 0\.00 yuan of D1 on the bank's statement"
    ):
        office.pays_in("D1", DEPOSITED, Layer.SERIOUS_ILLNESS)
    office.books(EventKind.DEPOSIT_REVERSED, DEPOSITED, "D1")
    with pytest.raises(ConflictError, match="adjustment 1 has corrected it already"):
        office.proposes(EventKind.DEPOSIT_REVERSED, DEPOSITED, "D1")
    assert office.balance("bank") == 0
    assert ("D1", "booked 0 fen") in office.r19()
    assert office.pays_in("D1", DEPOSITED, Layer.SERIOUS_ILLNESS)
    assert not office.pays_in("D1", DEPOSITED, Layer.SERIOUS_ILLNESS), "known already"
    assert office.balance("bank") == DEPOSITED
    assert "D1" not in [subject for subject, _ in office.r19()]
    office.books(EventKind.DEPOSIT_REVERSED, DEPOSITED, "D1")
    assert office.balance("bank") == 0


def test_the_books_are_opened_with_the_money_that_was_there_before_the_first_statement(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """期初建账: typed on a day within a statement it would be missing on it every day."""

    def opens(on: dt.date) -> bool:
        return deposit(office.services, CITY, Layer.CIVIL_SERVANT, 500_00, reference="OPENING",
                       by=ONE, reason="期初余额", on=on)  # fmt: skip

    with pytest.raises(JournalError, match="statements begin on 2026-11-19: --on is for money"):
        opens(dt.date(2026, 11, 19))
    with pytest.raises(JournalError, match="is before today"):
        opens(dt.date(2026, 11, 20))
    assert opens(dt.date(2026, 11, 18))
    assert not opens(dt.date(2026, 11, 18)), "once"
    read = BankStatementRepository.periods
    monkeypatch.setattr(BankStatementRepository, "periods", lambda self, region: [
        dataclasses.replace(one, opening_fen=500_00) for one in read(self, region)])  # fmt: skip
    assert not {"OPENING", "330800 opening"} & {subject for subject, _ in office.r19()}


def test_a_deposit_that_never_came_is_no_difference_when_it_is_reversed(office: Office) -> None:
    office.pays_in("TYPED", 700_00)
    assert ("TYPED", "booked 70000 fen credit") in office.r19()
    office.books(EventKind.DEPOSIT_REVERSED, 700_00, "TYPED")
    assert "TYPED" not in [subject for subject, _ in office.r19()]


def test_no_deposit_is_reversed_whose_money_is_with_the_bank(office: Office) -> None:
    of = said("t", CITY, NOW)
    book_now(office.engine, journal.approved(of, LayerAmounts(), LayerAmounts(1)))
    number = office.proposes(EventKind.DEPOSIT_REVERSED, DEPOSITED, "D1")
    book_now(office.engine, journal.instructed(of, 1))
    with pytest.raises(FundShortError, match=r"1,000.00 yuan at the bank, of which 0.01"):
        confirm(office.services, number, by=TWO, reason="x")
    assert office.balance("bank") == DEPOSITED


def test_nothing_is_corrected_in_a_closed_month(office: Office) -> None:
    number = office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1")
    raw.run(office.engine, raw.proposal(), raw.close())
    with pytest.raises(PeriodClosedError, match="2026-11 are closed"):
        confirm(office.services, number, by=TWO, reason="x")
    with office.services.work(write=False) as work:
        assert work.adjustments.answer_of(number) is None


def test_a_lost_payment_is_not_put_in_suspense_while_its_claim_may_be_found(
    office: Office,
) -> None:
    detail = {"end_to_end_id": LOST_NAME, "file": "YC-LOST", "amount_fen": LOST}
    with office.services.work() as work:
        work.reconciliation.put_case(f"bank-payment:{LOST_NAME}", "bank-payment", detail)
        work.commit()
    with pytest.raises(ConflictError, match="two people close it first"):
        office.proposes(EventKind.SUSPENSE, LOST, LOST_NAME, side="debit")


@pytest.mark.parametrize("kind", [EventKind.SUSPENSE, EventKind.BANK_CHARGE])
def test_a_payment_for_a_claim_is_booked_by_the_banks_answer_alone(
    office: Office, kind: EventKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Explained otherwise, it would no longer hold its claim, which would be paid again."""
    read = BankStatementRepository.entries

    def of_a_claim(self: BankStatementRepository, region: str) -> list[BankMovement]:
        return [dataclasses.replace(one, claim_id="clm_1") for one in read(self, region)]

    monkeypatch.setattr(BankStatementRepository, "entries", of_a_claim)
    with pytest.raises(JournalError, match="the bank's answer books it"):
        office.proposes(kind, LOST, LOST_NAME, side="debit")


def test_with_every_movement_explained_the_bank_and_the_books_agree(office: Office) -> None:
    assert sorted(office.r19()) == [
        (LOST_NAME, "not booked"), ("FEE-1", "not booked"), ("INT-1", "not booked"),
    ]  # fmt: skip
    office.books(EventKind.BANK_CHARGE, FEE, "FEE-1")
    office.books(EventKind.BANK_INTEREST, INTEREST, "INT-1")
    held = office.books(EventKind.SUSPENSE, LOST, LOST_NAME, side="debit")
    assert (office.r19(), office.r16()) == ([], [])
    # 1,000.00 - 12.50 + 3.00 - 90.00, as the statement closes.
    assert office.balance("bank") == 900_50
    assert office.balance("clearing") == -LOST
    (have,) = office.tables().have
    assert dict(have.moves) == {
        "funded": DEPOSITED, "bank-charge": -FEE, "bank-interest": INTEREST, "suspense": -LOST,
    }  # fmt: skip
    assert (have.closing_fen, dict(have.net_fen)["pool"]) == (900_50, 990_50)
    with office.services.work(write=False) as work:
        (item,) = open_items(work, "330800", dt.date(2026, 11, 30))
        assert (item.account, item.balance_fen) == ("clearing:330800", -LOST)
    wrong: dict[str, Any] = {"suspense": held, "layer": Layer.POOL}
    with pytest.raises(JournalError, match=r"which is 90\.00 yuan"):
        office.proposes(EventKind.SUSPENSE_CLEARED, LOST - 1, **wrong)
    with pytest.raises(JournalError, match="name the layer"):
        office.proposes(EventKind.SUSPENSE_CLEARED, LOST, suspense=held)
    office.books(EventKind.SUSPENSE_CLEARED, LOST, suspense=held, layer=Layer.MEDICAL_AID)
    with pytest.raises(ConflictError, match="has corrected it already"):
        office.proposes(EventKind.SUSPENSE_CLEARED, LOST, **wrong)
    (have,) = office.tables().have
    assert (have.closing_fen, have.clearing_fen) == (900_50, 0)
    assert dict(have.net_fen)["medical-aid"] == -LOST
    assert office.tables().faults == ()
    assert (office.r19(), office.r16()) == ([], [])
    with office.services.work(write=False) as work:
        assert check_journal(work) == []


def test_money_that_came_from_nobody_known_is_held_and_given_to_a_layer(office: Office) -> None:
    held = office.books(EventKind.SUSPENSE, INTEREST, "INT-1", side="credit")
    assert office.balance("clearing") == INTEREST
    (have,) = office.tables().have
    assert (have.closing_fen, have.free_fen) == (DEPOSITED + INTEREST, DEPOSITED), "not to be paid"
    office.books(EventKind.SUSPENSE_CLEARED, INTEREST, suspense=held, layer=Layer.POOL)
    assert office.balance("clearing") == 0
    assert office.balance("bank") == DEPOSITED + INTEREST
    assert office.tables().faults == ()


def test_what_a_debtor_paid_too_much_is_the_rest_of_the_movement(office: Office) -> None:
    """A part of it is booked as what it is; the rest is held, and no more than the rest."""
    assert office.pays_in("INT-1", INTEREST - 80)
    assert ("INT-1", f"booked {INTEREST - 80} fen") in office.r19()
    with pytest.raises(ConflictError, match=r"0\.80 yuan of the movement are not booked yet"):
        office.proposes(EventKind.SUSPENSE, 81, "INT-1", side="credit")
    office.books(EventKind.SUSPENSE, 80, "INT-1", side="credit")
    assert "INT-1" not in [subject for subject, _ in office.r19()]
    assert office.balance("clearing") == 80
    assert office.r16() == []
    with pytest.raises(ConflictError, match="booked already"):
        office.proposes(EventKind.SUSPENSE, 1, "INT-1", side="credit")


@pytest.mark.parametrize(
    "entry",
    [
        journal.bank_moved(EventKind.BANK_CHARGE, said("p", CITY, NOW), 5, came=False),
        journal.suspense_cleared(
            said("p", CITY, NOW),
            journal.bank_moved(EventKind.SUSPENSE, said("s", CITY, NOW), 5, came=False),
            Layer.POOL,
        ),
    ],
    ids=["charge", "cleared"],
)
def test_an_adjustment_that_nobody_confirmed_is_named(office: Office, entry: journal.Entry) -> None:
    book_now(office.engine, entry)
    (there,) = office.r16()
    assert there.startswith(f"{entry.kind}: 5 fen to fund:330800:pool")


ANSWER = {
    "number": 1, "action": "confirmed", "by": TWO, "reason": "x", "at": raw.AT,
    "subject": "bst_1:2", "entry_id": "jrn_raw",
}  # fmt: skip


def plant(office: Office) -> None:
    """A proposal, and an entry like the one that its confirmation would book."""
    office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1")
    sides: dict[str, Any] = {"debit_account": "fund:330800:pool", "credit_account": "bank:330800"}
    raw.run(
        office.engine,
        raw.transfer(entry_id="jrn_raw", amount_fen=FEE, **sides),
        raw.entry(id="jrn_raw", source_id="R", kind="bank-charge", total_fen=FEE),
        raw.transfer(entry_id="jrn_two", amount_fen=FEE + 1, **sides),
        raw.entry(id="jrn_two", source_id="S", kind="bank-charge", total_fen=FEE + 1),
    )


def refusals_of_the_database(office: Office) -> None:
    plant(office)
    for changed in (
        {"by": f" {ONE} "}, {"entry_id": None}, {"entry_id": "jrn_two"}, {"subject": "bst_1:1"},
        {"action": "refused"}, {"action": "other"}, {"number": 7},
    ):  # fmt: skip
        with pytest.raises(sa.exc.DatabaseError):
            raw.run(office.engine, raw.insert("journal_adjustment_answer", ANSWER | changed))
    raw.run(office.engine, raw.insert("journal_adjustment_answer", ANSWER))
    proposal = (
        "INSERT INTO journal_adjustment SELECT 2, kind, region, insurance_type, layer, {fen}, "
        "reference, side, statement_id, {ordinal}, corrects, subject, reason, proposed_by, "
        "proposed_at FROM journal_adjustment"
    )
    for statement in (
        proposal.format(fen=FEE + 1, ordinal=2),
        proposal.format(fen=FEE, ordinal=3),
        "UPDATE journal_adjustment SET amount_fen = 1",
        "DELETE FROM journal_adjustment_answer",
        raw.insert("journal_adjustment_answer", ANSWER),
    ):
        with pytest.raises(sa.exc.DatabaseError):
            raw.run(office.engine, statement)


def test_the_database_takes_no_adjustment_of_one_person_or_of_no_fact(office: Office) -> None:
    refusals_of_the_database(office)
    with pytest.raises(sa.exc.DatabaseError, match="insert-only"):
        replaced = raw.insert("journal_adjustment_answer", ANSWER | {"by": "x"})
        raw.run(office.engine, replaced.replace("INSERT", "INSERT OR REPLACE"))


@pytest.mark.slow
def test_the_same_on_postgresql(postgresql: sa.Engine) -> None:
    office = Office(postgresql)
    refusals_of_the_database(office)
    office.books(EventKind.BANK_INTEREST, INTEREST, "INT-1")
    office.pays_in("D2", 5_00)
    office.books(EventKind.DEPOSIT_REVERSED, 5_00, "D2")
    assert office.pays_in("D2", 6_00, Layer.MEDICAL_AID)
    # 1,000.00 + 3.00 + 6.00 less the two charges that were planted, 12.50 and 12.51.
    assert office.balance("bank") == 983_99
    assert office.tables().faults == ()


def test_a_movement_of_a_withdrawn_statement_is_corrected_by_nothing(office: Office) -> None:
    """What was booked by it before stays booked, and R19 asks for it on the corrected one."""
    office.books(EventKind.BANK_INTEREST, INTEREST, "INT-1")
    waiting = office.proposes(EventKind.BANK_CHARGE, FEE, "FEE-1")
    before = office.entries()
    with office.services.work() as work:
        for ordinal, action, by in ((1, "proposed", ONE), (2, "confirmed", TWO)):
            work.bank_statements.add_step(
                WithdrawalStep("bst_1", ordinal, action, by, "银行更正", NOW)
            )
        work.commit()
    with pytest.raises(NotFoundError, match="no statement of the bank has such a movement"):
        confirm(office.services, waiting, by=TWO, reason="核对无误")
    with pytest.raises(NotFoundError, match="no statement of the bank has such a movement"):
        office.proposes(EventKind.SUSPENSE, LOST, LOST_NAME, side="debit")
    refuse(office.services, waiting, by=TWO, reason="对账单已撤下")
    assert office.entries() == before and office.r19() == []
    with office.services.work() as work:
        moved = [one for one in MOVED if one[2] != "INT-1"]
        work.bank_statements.add(
            StoredStatement(
                "bst_2", "330800", "ACC", "1", noon(11, 19), NOW + dt.timedelta(hours=1), 0,
                DEPOSITED - FEE - LOST, 3, False, "bmg_1", 2,
            ),
            [StatementEntry(EntrySide(s), fen, r, e, NOW.date()) for s, fen, r, e in moved],
        )  # fmt: skip
        work.commit()
    office.books(EventKind.BANK_CHARGE, FEE, "FEE-1")
    assert ("INT-1", f"booked {INTEREST} fen credit") in office.r19()
