"""What must hold for every bill, person and history."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.adjudication import adjudicate, estimate_submission
from backend.domain.invoice import VisitKind
from backend.domain.money import allot, allot_fen, round_half_up
from backend.domain.person import History
from tests.unit.domain import benefit_cases as case

QUZHOU = load_pack(POLICY_DIRECTORY / "quzhou-2026.json")
assert QUZHOU.catalogue is not None
CODES = [*sorted(item.code for item in QUZHOU.catalogue.items), "NO-SUCH"]
CODES += [entry.code for entry in QUZHOU.catalogue.negative_list]

persons = st.sampled_from([case.person("310"), case.person("310", "1102"), case.person("390")])
statuses = st.sampled_from([rule.status for rule in QUZHOU.remote])


@st.composite
def lines(draw: Any) -> list[Any]:
    count = draw(st.integers(1, 12))
    made = []
    for index in range(count):
        quantity = draw(st.integers(1, 500)) * 1_000
        price = draw(st.one_of(st.integers(0, 3_000_000), st.integers(0, 10**11)))
        amount = round_half_up(quantity * price, 10**6)
        code = draw(st.sampled_from(CODES))
        made.append(
            case.line(index, 0, code=code, quantity_e4=quantity, price_e6=price, amount_e4=amount)
        )
    return made


@st.composite
def bills(draw: Any, key: int = 1) -> Any:
    made = draw(lines())
    total = round_half_up(sum(entry.amount_e4 for entry in made), 100)
    return case.bill(
        *made,
        kind=draw(st.sampled_from(list(VisitKind))),
        level=draw(st.sampled_from([1, 2, 3])),
        key=key,
        total_fen=total,
        borne_fen=draw(st.one_of(st.just(0), st.integers(0, total))),
        remote_status=draw(statuses),
        visit_date=dt.date(2026, draw(st.integers(1, 12)), draw(st.integers(1, 28))),
    )


@st.composite
def histories(draw: Any) -> History:
    entries = []
    for number in range(draw(st.integers(0, 4))):
        scope = draw(st.integers(0, 40_000_000))
        taken = draw(st.integers(0, min(scope, 140_000)))
        pool = draw(st.integers(0, scope - taken))
        base = scope - pool
        entries.append(
            case.entry(
                number,
                insurance_type=draw(st.sampled_from(["310", "390"])),
                visit_kind=draw(st.sampled_from(list(VisitKind))),
                in_scope_fen=scope,
                deductible_fen=taken,
                pool_paid_fen=pool,
                layer2_base_fen=base,
                layer2_paid_fen=draw(st.integers(0, base)),
            )
        )
    return History(tuple(entries))


@settings(max_examples=150, deadline=None)
@given(bill=bills(), person=persons, history=histories())
def test_every_fen_is_explained(bill: Any, person: Any, history: History) -> None:
    eob = adjudicate(QUZHOU, bill, person, history)

    assert 0 <= eob.paid_fen <= bill.total_fen - bill.borne_fen
    assert eob.paid_fen + eob.person_fen == bill.total_fen
    assert sum(e.submitted_fen for e in eob.lines) == bill.total_fen
    assert sum(e.paid_fen for e in eob.lines) == eob.paid_fen
    for explained, line in zip(eob.lines, bill.lines, strict=True):
        cuts = sum(cut.amount_fen for cut in explained.adjustments)
        assert explained.submitted_fen == explained.paid_fen + cuts
        assert explained.paid_fen >= 0
        assert abs(explained.submitted_fen * 100 - line.amount_e4) < 100
        for cut in explained.adjustments:
            assert cut.basis_zh
            assert cut.basis_en
            assert (cut.amount_fen < 0) == (cut.code == "layer-2-paid")
    assert sum(row.amount_fen for row in eob.summary[:-1]) == eob.paid_fen
    assert adjudicate(QUZHOU, bill, person, history) == eob


@settings(max_examples=150, deadline=None)
@given(
    amounts=st.lists(st.integers(0, 30_000_000), min_size=1, max_size=6),
    more=st.integers(1, 10_000_000),
    person=persons,
    history=histories(),
    kind=st.sampled_from(list(VisitKind)),
    status=statuses,
)
def test_payment_never_falls_when_a_cost_rises(
    *, amounts: list[int], more: int, person: Any, history: History, kind: Any, status: str
) -> None:
    codes = ("FIX-01", "FIX-02", "FIX-LIMIT", "FIX-03")
    pack = dataclasses.replace(QUZHOU, catalogue=case.catalogue())

    def paid(values: list[int]) -> int:
        made = [case.line(i, fen, code=codes[i % 4]) for i, fen in enumerate(values)]
        now = case.bill(*made, kind=kind, remote_status=status)
        return adjudicate(pack, now, person, history).paid_fen

    dearer = [amounts[0] + more, *amounts[1:]]
    assert paid(dearer) >= paid(amounts)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), person=persons, history=histories())
def test_picking_order_has_no_effect(data: Any, person: Any, history: History) -> None:
    picked = [data.draw(bills(key=key)) for key in range(1, data.draw(st.integers(2, 4)) + 1)]
    shuffled = data.draw(st.permutations(picked))
    assert estimate_submission(QUZHOU, picked, person, history) == estimate_submission(
        QUZHOU, shuffled, person, history
    )


@given(
    weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=40),
    part=st.integers(0, 10**4),
)
def test_allotment_adds_up_and_stays_within_each_weight(weights: list[int], part: int) -> None:
    total = sum(weights) * part // 10**4
    shares = allot(total, weights)
    assert sum(shares) == total
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(amounts=st.lists(st.integers(0, 10**9), max_size=40))
def test_fen_of_lines_add_up_and_move_less_than_a_fen(amounts: list[int]) -> None:
    total = (2 * sum(amounts) + 100) // 200
    shares = allot_fen(total, amounts)
    assert sum(shares) == total
    assert all(abs(s * 100 - a) < 100 for s, a in zip(shares, amounts, strict=True))
