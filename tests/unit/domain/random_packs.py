"""Hypothesis strategies: packs with every layer, persons, histories, bills and rulings."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from backend.domain.invoice import VisitKind
from backend.domain.money import round_half_up
from backend.domain.person import CIVIL_SERVANT_RANKS, HARDSHIP_CODES, History
from tests.unit.domain import benefit_cases as case

FEN = st.one_of(st.integers(0, 500), st.integers(0, 30_000_000))
RATIOS = st.one_of(st.sampled_from([0, 10_000]), st.integers(0, 10_000))
MODES = (
    "per-visit",
    "per-year",
    "per-quarter",
    "per-month",
    "once-per-hospital-year",
    "once-per-year-topped-up",
)
CODES = ("FIX-01", "FIX-02", "FIX-03", "FIX-LIMIT", "FIX-RESTRICTED", "FIX-NEG", "OLD-01", "NONE")
CATALOGUE = case.catalogue()
KINDS = tuple(VisitKind)


@st.composite
def bands(draw: Any, first: int | None = 0) -> list[tuple[int, int]]:
    edges = sorted(draw(st.sets(st.integers(1, 5_000_000), max_size=3)))
    start = draw(st.integers(0, 500_000)) if first is None else first
    overs = [start, *(start + edge for edge in edges)]
    return [(over, draw(RATIOS)) for over in overs]


@st.composite
def ratio_rules(draw: Any) -> dict[str, Any]:
    rule = case.ratio(*draw(bands()), base=draw(st.sampled_from(["visit", "year"])))
    for band in rule["bands"]:
        if draw(st.booleans()):
            band["retired_ratio_bp"] = draw(RATIOS)
    retired = draw(st.sampled_from(["", "retired_share_bp", "retired_bonus_bp"]))
    return rule | ({retired: draw(RATIOS)} if retired else {})


@st.composite
def deductibles(draw: Any) -> dict[str, Any]:
    mode = draw(st.sampled_from(MODES))
    rule = case.deductible(draw(FEN), mode)
    rule["merging"] = draw(st.sampled_from(["none", "mid-stay", "transfer", "both"]))
    if draw(st.booleans()):
        rule["year_ceiling_fen"] = draw(FEN)
    if mode == "per-visit" and draw(st.booleans()):
        rule["later_standard_fen"] = draw(FEN)
    if mode == "once-per-year-topped-up":
        rule["stops_above_standard"] = draw(st.integers(0, 1))
    return rule


def _capped(draw: Any, rule: dict[str, Any]) -> dict[str, Any]:
    return rule | ({"cap_fen": draw(FEN)} if draw(st.booleans()) else {})


@st.composite
def packs(draw: Any) -> Any:
    """A pack in which every layer may pay, with the fixture catalogue or the printed class."""
    bases = st.sampled_from(["visit", "year"])
    aid = case.aid(*draw(bands(None)), base=draw(bases), hardship=list(HARDSHIP_CODES))
    extra = case.supplement(*draw(bands(None)), base=draw(bases), ranks=list(CIVIL_SERVANT_RANKS))
    tiers = case.tiers(draw(st.sampled_from(["line-amount", "unit-price"])), *draw(bands()))
    model = draw(st.sampled_from(["factor", "paid-first"]))
    changes: dict[str, Any] = {
        "class_b": tiers,
        "deductibles": [draw(deductibles())],
        "ratios": [draw(ratio_rules())],
        "caps": [case.cap(draw(FEN))] if draw(st.booleans()) else [],
        "remote": {
            "model": model,
            "statuses": [
                case.remote("local", 10_000 if model == "factor" else 0),
                case.remote("away", draw(RATIOS)),
            ],
        },
        "layer2": [case.layer2(draw(FEN), *draw(bands(None)))] if draw(st.booleans()) else [],
        "layer3": [_capped(draw, aid)] if draw(st.booleans()) else [],
        "supplement": [_capped(draw, extra)] if draw(st.booleans()) else [],
    }
    return case.pack(CATALOGUE if draw(st.booleans()) else None, **changes)


@st.composite
def persons(draw: Any) -> Any:
    insurance, kind = draw(st.sampled_from([("310", "1101"), ("310", "1102"), ("390", "resident")]))
    hardship = draw(st.sampled_from(["", *HARDSHIP_CODES]))
    rank = draw(st.sampled_from(["", *CIVIL_SERVANT_RANKS]))
    return case.person(
        insurance,
        kind,
        hardship=(case.status(hardship),) if hardship else (),
        civil_servant=(case.status(rank),) if rank else (),
    )


@st.composite
def histories(draw: Any) -> History:
    entries = []
    for number in range(draw(st.integers(0, 3))):
        scope = draw(FEN)
        taken = draw(st.integers(0, scope))
        pool = draw(st.integers(0, scope - taken))
        layer2 = draw(st.integers(0, scope - pool))
        layer3 = draw(st.integers(0, scope - pool - layer2))
        entries.append(
            case.entry(
                number,
                insurance_type=draw(st.sampled_from(["310", "390"])),
                visit_kind=draw(st.sampled_from(KINDS)),
                in_scope_fen=scope,
                deductible_fen=taken,
                pool_paid_fen=pool,
                layer2_base_fen=scope - pool,
                layer2_paid_fen=layer2,
                layer3_paid_fen=layer3,
                supplement_paid_fen=draw(st.integers(0, scope - pool - layer2 - layer3)),
            )
        )
    return History(tuple(entries))


@st.composite
def bills(draw: Any, key: int = 1, *, whole_fen: bool = False) -> Any:
    """A bill of up to eight lines; with ``whole_fen`` its lines are whole units at whole fen."""
    made = []
    for index in range(draw(st.integers(1, 8))):
        if whole_fen:
            quantity = draw(st.integers(1, 20)) * 10_000
            price = draw(st.integers(0, 1_000_000)) * 10_000
        else:
            quantity = draw(st.integers(0, 500)) * 1_000
            price = draw(st.integers(0, 3_000_000_000))
        made.append(
            case.line(
                index,
                0,
                draw(st.sampled_from(["01", "02", "03", ""])),
                draw(st.sampled_from(CODES)),
                quantity_e4=quantity,
                price_e6=price,
                amount_e4=round_half_up(quantity * price, 10**6),
                approval_flag=draw(st.sampled_from(["", "1"])),
            )
        )
    total = round_half_up(sum(entry.amount_e4 for entry in made), 100)
    return case.bill(
        *made,
        kind=draw(st.sampled_from([VisitKind.OUTPATIENT, VisitKind.INPATIENT])),
        level=draw(st.sampled_from([1, 2, 3])),
        key=key,
        total_fen=total,
        borne_fen=draw(st.one_of(st.just(0), st.integers(0, total))),
        remote_status=draw(st.sampled_from(["local", "away"])),
        visit_date=dt.date(2026, draw(st.integers(1, 12)), draw(st.integers(1, 28))),
    )


@st.composite
def rulings(draw: Any, bill: Any) -> list[Any]:
    made = []
    for index in range(len(bill.lines)):
        for kind in draw(st.sets(st.sampled_from(["match", "confirm", "exclude", "limit"]))):
            changes: dict[str, Any] = {}
            if kind == "match":
                changes["catalogue_code"] = draw(st.sampled_from(CODES))
            if kind == "limit":
                changes["limit_fen"] = draw(FEN)
            made.append(case.ruling(index, kind, **changes))
    return draw(st.permutations(made))
