"""R3, R5, R18 by themselves: a stored decision, the ledger's slots, the journal's own check."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.ledger import SlotState
from backend.service_layer.journal.records import Balance
from backend.service_layer.money_reconciliation.ports import Settled, StoredDecision
from backend.service_layer.money_reconciliation.records import RULES, Mismatch
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.ports import BlockStamp, FinalSlot, LedgerUnavailableError
from tests.unit.journal.books import Books, balance
from tests.unit.money_reconciliation.exchange import Exchange
from verifier.commitment.fingerprint import compute_fingerprint

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
SECRET = b"\x07" * 32
RECORD: dict[str, Any] = {"claim_number": "C1", "paid_fen": 6_000}
EXPLANATION = json.dumps(RECORD, sort_keys=True, separators=(",", ":"))
DECISION = StoredDecision(
    "dec_1", "clm_1", "C1", 1, 6_000, EXPLANATION, compute_fingerprint(RECORD, SECRET), SECRET
)
KEY = b"\x01" * 32
SETTLED = Settled("clm_1", "C1", 2, KEY, 6_500, is_changing=False, since_block=90)
SLOT = SlotState(
    total_fen=40_000, paid_fen=6_500, leaf_reference=0, deadline=0, open_payer=0, lodge_counter=1,
    flags=0, settled_payers=0b10,
)  # fmt: skip


class Box:
    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        assert name == "dec_1"
        return wrapped


class Sides:
    """Database, ledger and bank, which agree until a test changes one of them."""

    def __init__(self) -> None:
        self.stored = [DECISION]
        self.settled = [SETTLED]
        self.slots = {KEY: FinalSlot(100, SLOT, SLOT)}
        self.followed: Any = BlockStamp(95, b"\x02" * 32, NOW)
        self.books = Books()
        self.of_claims: list[list[Mismatch]] = []
        self.silent_before: list[dt.datetime] = []
        self.frozen = 0
        self.named: list[set[str]] = []
        self.balance_faults: list[Mismatch] = []

    @property
    def deps(self) -> Any:
        bank = Exchange().deps
        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW),
            settings=SimpleNamespace(payout=SimpleNamespace(answer_hours=24)),
            secret_box=Box(),
            bank=bank.bank,
            payment_format=bank.payment_format,
            ledger=SimpleNamespace(final_slots=self._final_slots),
            work=self._work,
        )

    def _final_slots(self, keys: list[bytes], followed: Any) -> dict[bytes, FinalSlot]:
        assert followed is self.followed
        return {key: self.slots[key] for key in keys}

    def _work(self, *, write: bool = True) -> Any:
        assert not write, "nothing is written"
        sides = self

        class Work:
            def __enter__(self) -> Any:
                return SimpleNamespace(
                    money_rules=sides._rules(),
                    journal=sides.books,
                    bank_statements=SimpleNamespace(regions=list),
                    chain=SimpleNamespace(cursor=lambda: sides.followed),
                    reconciliation=SimpleNamespace(cases_of=lambda kind: []),
                )

            def __exit__(self, *_: object) -> None:
                return None

        return Work()

    def _rules(self) -> Any:
        def freeze() -> None:
            self.frozen += 1

        def payment_rules(silent_before: dt.datetime, lost: set[str]) -> list[Mismatch]:
            self.silent_before.append(silent_before)
            assert lost == set()
            return []

        def claim_balances(named: set[str]) -> list[Mismatch]:
            self.named.append(named)
            return self.balance_faults

        return SimpleNamespace(
            freeze=freeze,
            claim_rules=lambda: iter(self.of_claims.pop(0) if self.of_claims else []),
            payment_rules=payment_rules,
            claim_balances=claim_balances,
            decisions=lambda: iter(self.stored),
            settled=lambda: self.settled,
            files=lambda: iter([]),
            items=dict,
            messages=list,
            answers=list,
            numbers_of=lambda ids: {one: one.replace("clm_", "C") for one in ids},
            claim_of=lambda number: number.replace("C", "clm_"),
        )


def test_sides_that_agree_are_asked_once_and_at_one_instant() -> None:
    sides = Sides()
    assert find_mismatches(sides.deps) == []
    assert sides.frozen == 1
    assert sides.silent_before == [dt.datetime(2026, 11, 19, 2, 0, tzinfo=dt.UTC)]


def test_what_is_named_once_only_was_on_its_way() -> None:
    moving, stays = Mismatch("R1", "C9", "a", "b"), Mismatch("R1", "C8", "a", "b")
    sides = Sides()
    sides.of_claims = [[moving, stays], [stays]]
    assert find_mismatches(sides.deps) == [stays]
    assert sides.frozen == 2


def test_rows_stand_in_the_order_of_the_rules_and_not_of_their_letters() -> None:
    found = [Mismatch("R10", "C1", "a", "b"), Mismatch("R2", "C2", "a", "b"),
             Mismatch("R2", "C1", "a", "b"), Mismatch("R1", "C3", "a", "b")]  # fmt: skip
    sides = Sides()
    sides.of_claims = [list(found), list(found)]
    assert [(one.rule, one.subject) for one in find_mismatches(sides.deps)] == [
        ("R1", "C3"), ("R2", "C1"), ("R2", "C2"), ("R10", "C1"),
    ]  # fmt: skip


# --- R3: the decision that is stored --------------------------------------------------------------


def of_decision(**changed: Any) -> list[tuple[str, str, str, str, str]]:
    sides = Sides()
    sides.stored = [replace(DECISION, **changed)]
    found = find_mismatches(sides.deps)
    return [(one.rule, one.subject, one.here, one.there, one.claim_id) for one in found]


def test_another_amount_than_was_explained_is_named() -> None:
    assert of_decision(paid_fen=6_001) == [
        ("R3", "C1 v1", "6001 fen", "explained 6000 fen", "clm_1")
    ]


def test_another_decision_than_was_fingerprinted_is_named() -> None:
    changed = EXPLANATION.replace("C1", "C2")
    here = DECISION.fingerprint.hex()[:16]
    there = compute_fingerprint({**RECORD, "claim_number": "C2"}, SECRET).hex()[:16]
    assert of_decision(explanation=changed) == [
        ("R3", "C1 v1", f"fingerprint {here}", f"computed {there}", "clm_1")
    ]


def test_of_a_decision_whose_secret_was_erased_only_the_amount_is_compared() -> None:
    other = json.dumps({"paid_fen": 6_000})
    assert of_decision(wrapped_secret=None, explanation=other, fingerprint=bytes(32)) == []
    assert len(of_decision(wrapped_secret=None, paid_fen=1)) == 1


@pytest.mark.parametrize("explanation", ["no json", "[]", "{}", '{"paid_fen":6000.5}'])
def test_a_decision_that_cannot_be_read_is_named_and_hides_no_other(explanation: str) -> None:
    sides = Sides()
    sides.stored = [replace(DECISION, explanation=explanation), replace(DECISION, paid_fen=1)]
    found = [(one.subject, one.here, one.there) for one in find_mismatches(sides.deps)]
    assert ("C1 v1", "stored decision", "cannot be read") in found
    assert ("C1 v1", "1 fen", "explained 6000 fen") in found


# --- R5: the slots --------------------------------------------------------------------------------


def of_slot(settled: Settled = SETTLED, **changed: Any) -> list[tuple[str, str, str, str, str]]:
    """What is said when the newest block has another slot."""
    sides = Sides()
    sides.settled = [settled]
    sides.slots[KEY] = FinalSlot(100, SLOT, replace(SLOT, **changed))
    found = find_mismatches(sides.deps)
    both = Sides()
    both.settled = [settled]
    other = replace(SLOT, **changed)
    both.slots[KEY] = FinalSlot(100, other, SLOT)
    assert find_mismatches(both.deps) == found, "the final block is looked at too"
    return [(one.rule, one.subject, one.here, one.there, one.claim_id) for one in found]


@pytest.mark.parametrize("payers", [0, 0b1, 0b100])
def test_a_slot_without_our_settlement_is_named(payers: int) -> None:
    assert of_slot(settled_payers=payers) == [
        ("R5", "C1", "6500 fen", "no settlement of ours", "clm_1")
    ]


def test_a_fen_less_on_the_ledger_is_named_whoever_else_has_settled() -> None:
    said = [("R5", "C1", "6500 fen", "slot 6499 fen", "clm_1")]
    assert of_slot(paid_fen=6_499) == said
    assert of_slot(paid_fen=6_499, settled_payers=0b11) == said
    assert of_slot(replace(SETTLED, is_changing=True), paid_fen=6_499) == said


def test_a_fen_more_is_named_where_nobody_else_has_settled() -> None:
    assert of_slot(paid_fen=6_501) == [("R5", "C1", "6500 fen", "slot 6501 fen", "clm_1")]
    assert of_slot(paid_fen=6_501, settled_payers=0b11) == []
    # A supplement is on its way, so that the ledger may be ahead.
    assert of_slot(replace(SETTLED, is_changing=True), paid_fen=6_501) == []


def test_a_node_that_is_behind_what_was_final_here_proves_nothing() -> None:
    sides = Sides()
    sides.slots[KEY] = FinalSlot(89, SLOT, SLOT)
    with pytest.raises(LedgerUnavailableError, match="block 90 is not final for it"):
        find_mismatches(sides.deps)
    sides.slots[KEY] = FinalSlot(90, SLOT, SLOT)
    assert find_mismatches(sides.deps) == []


def test_what_this_database_has_not_followed_itself_asks_no_node_to_be_as_far() -> None:
    sides = Sides()
    sides.slots[KEY] = FinalSlot(89, SLOT, SLOT)
    sides.followed = BlockStamp(89, b"\x02" * 32, NOW)
    assert find_mismatches(sides.deps) == []
    sides.followed = None
    assert find_mismatches(sides.deps) == []


def test_every_slot_is_asked_for_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.service_layer.money_reconciliation.rules.SLOTS_AT_ONCE", 2)
    sides = Sides()
    keys = [bytes([number]) * 32 for number in range(1, 6)]
    sides.settled = [replace(SETTLED, invoice_key=key, number=f"C{key[0]}") for key in keys]
    wrong = FinalSlot(100, replace(SLOT, paid_fen=1), SLOT)
    sides.slots = dict.fromkeys(keys, wrong)
    assert [one.subject for one in find_mismatches(sides.deps)] == ["C1", "C2", "C3", "C4", "C5"]


# --- R18: the journal itself ----------------------------------------------------------------------


def wrong_side(number: str) -> list[Balance]:
    return [balance(f"payable:{number}", 5, 0), balance(f"fund:{number}:pool", 0, 5)]


def test_a_fault_of_the_journal_is_named_with_its_rule() -> None:
    sides = Sides()
    sides.books.sums = wrong_side("330800")
    assert find_mismatches(sides.deps) == [
        Mismatch("R18", "payable:330800 310", "wrong-side", "stands 5 fen on the debit side")
    ]


def test_a_claim_that_another_rule_names_is_not_named_again_for_its_side() -> None:
    from tests.unit.journal.test_checking_rules import of_claim

    sides = Sides()
    sides.books.sums = [balance("payable:330800"), balance("fund:330800:pool")]
    sides.books.of_claims = [of_claim("payable:330800", -5)]
    named = Mismatch("R18", "C1 payable:330800", "claim-wrong-side",
                     "the claim stands 5 fen on the other side", "clm_1")  # fmt: skip
    assert find_mismatches(sides.deps) == [named]
    first = Mismatch("R15", "C1", "a", "b", "clm_1")
    sides.balance_faults = [first]
    assert find_mismatches(sides.deps) == [first]
    # Nor does the balance of a claim that was named before count as another row.
    row = Mismatch("R1", "C1", "a", "b", "clm_1")
    sides.of_claims, sides.named = [[row], [row]], []
    find_mismatches(sides.deps)
    assert sides.named == [{"clm_1"}, {"clm_1"}]


def test_each_rule_has_a_number_of_its_own_in_their_order() -> None:
    assert [rule.code for rule in RULES] == [f"R{number}" for number in range(1, 20)]
