"""What must hold for every pack with all its layers, not only for the shipped ones.

*Never falling when a cost rises* is claimed for what a bill can really do: a line of whole units at
whole fen gets dearer, all else as it was. Then each step maps a cost c to a part f(c) with
0 <= f(c + 1) - f(c) <= 1 fen (a share of at most the whole, rounded half up, never jumps by more
than its argument), and what is left of c has the same property; so the chain of layers has it too,
and their sum cannot fall. It is not claimed below the fen: among four-decimal lines the odd fen of
the bill may move to another line (one in scope to one that is not), and a price limit of a
fractional quantity rounds the line and its excess apart; either may cost one fen.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.adjudication import adjudicate, estimate_submission
from backend.domain.decision_record import parse_decision_record
from backend.domain.explanation import GIVING_CODES, DecisionContext
from tests.unit.domain import random_packs as made

CONTEXT = DecisionContext(b"\x01" * 32, "C202611220001", 1, 1, 1)
ANY = given(data=st.data(), pack=made.packs(), person=made.persons(), history=made.histories())
QUICK = settings(max_examples=25, deadline=None)
DEEP = settings(max_examples=1_000, deadline=None)


@QUICK
@ANY
def test_every_fen_of_every_layer_is_explained(
    data: Any, pack: Any, person: Any, history: Any
) -> None:
    bill = data.draw(made.bills())
    rulings = data.draw(st.one_of(st.just([]), made.rulings(bill)))
    eob = adjudicate(pack, bill, person, history, rulings)

    assert 0 <= eob.paid_fen <= bill.total_fen - bill.borne_fen
    assert eob.paid_fen + eob.person_fen == bill.total_fen
    layers = ("pool_fen", "layer2_fen", "layer3_fen", "supplement_fen")
    totals = (
        eob.pool_paid_fen, eob.layer2_paid_fen, eob.layer3_paid_fen, eob.supplement_paid_fen,
    )  # fmt: skip
    for name, total in zip(layers, totals, strict=True):
        parts = [getattr(line, name) for line in eob.lines]
        assert min(parts) >= 0
        assert sum(parts) == total
    assert sum(line.submitted_fen for line in eob.lines) == bill.total_fen
    for line in eob.lines:
        assert line.submitted_fen == line.paid_fen + sum(c.amount_fen for c in line.adjustments)
        assert 0 <= line.paid_fen <= line.inscp_fen <= line.submitted_fen
        assert all((c.amount_fen < 0) == (c.code in GIVING_CODES) for c in line.adjustments)
        assert all(c.amount_fen for c in line.adjustments)
        assert all(c.basis_zh and c.basis_en and c.rule_id for c in line.adjustments)
    assert sum(row.amount_fen for row in eob.summary[:-1]) == eob.paid_fen
    assert adjudicate(pack, bill, person, history, tuple(rulings)) == eob
    plain = dataclasses.replace(eob, pend_reasons=())
    assert parse_decision_record(eob.to_record(CONTEXT)) == (plain, CONTEXT)


@QUICK
@ANY
def test_payment_never_falls_when_a_line_gets_dearer(
    data: Any, pack: Any, person: Any, history: Any
) -> None:
    bill = data.draw(made.bills(whole_fen=True))
    index = data.draw(st.integers(0, len(bill.lines) - 1))
    more = data.draw(st.one_of(st.integers(1, 10), st.integers(1, 1_000_000)))
    line = bill.lines[index]
    rise = more * line.quantity_e4 // 10_000
    dearer_line = dataclasses.replace(
        line, price_e6=line.price_e6 + more * 10_000, amount_e4=line.amount_e4 + rise * 100
    )
    dearer = dataclasses.replace(
        bill,
        total_fen=bill.total_fen + rise,
        lines=(*bill.lines[:index], dearer_line, *bill.lines[index + 1 :]),
    )
    before = adjudicate(pack, bill, person, history)
    after = adjudicate(pack, dearer, person, history)
    assert before.paid_fen <= after.paid_fen <= before.paid_fen + rise


@QUICK
@ANY
def test_picking_order_has_no_effect_with_any_layer(
    data: Any, pack: Any, person: Any, history: Any
) -> None:
    picked = [data.draw(made.bills(key=key)) for key in range(1, data.draw(st.integers(2, 4)) + 1)]
    shuffled = data.draw(st.permutations(picked))
    assert estimate_submission(pack, picked, person, history) == estimate_submission(
        pack, shuffled, person, history
    )


@QUICK
@ANY
def test_yearly_caps_hold_over_a_whole_year(
    data: Any, pack: Any, person: Any, history: Any
) -> None:
    history = made.History()
    for key in range(data.draw(st.integers(1, 5))):
        bill = data.draw(made.bills(key=key))
        eob = adjudicate(pack, bill, person, history)
        history = history.with_entries([eob.history_entry(f"C-{key}", "settled")])
    limits = [
        *((rule.limit_fen, "pool_paid_fen") for rule in pack.caps),
        *((rule.cap_fen, "layer2_paid_fen") for rule in pack.layer2),
        *((rule.cap_fen, "layer3_paid_fen") for rule in pack.layer3),
        *((rule.cap_fen, "supplement_paid_fen") for rule in pack.supplement),
    ]
    for limit, name in limits:
        if limit is not None:
            assert sum(getattr(entry, name) for entry in history.entries) <= limit


@QUICK
@ANY
def test_exclusions_and_limits_never_raise_the_payment(
    data: Any, pack: Any, person: Any, history: Any
) -> None:
    bill = data.draw(made.bills())
    cuts = [one for one in data.draw(made.rulings(bill)) if one.kind in ("exclude", "limit")]
    assert (
        adjudicate(pack, bill, person, history, cuts).paid_fen
        <= adjudicate(pack, bill, person, history).paid_fen
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [
        test_every_fen_of_every_layer_is_explained,
        test_payment_never_falls_when_a_line_gets_dearer,
        test_picking_order_has_no_effect_with_any_layer,
        test_yearly_caps_hold_over_a_whole_year,
        test_exclusions_and_limits_never_raise_the_payment,
    ],
)
def test_laws_hold_on_many_more_examples(law: Any) -> None:
    DEEP(ANY(law.hypothesis.inner_test))()
