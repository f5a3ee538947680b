"""Bills, persons and stripped fixture packs for the benefit tests. Nothing here computes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backend.domain.bill import BenefitLine, BillForBenefit
from backend.domain.catalogue import (
    Alias,
    Catalogue,
    CatalogueItem,
    EquivalenceRule,
    NegativeEntry,
)
from backend.domain.invoice import VisitKind
from backend.domain.person import CoverPeriod, DatedStatus, HistoryEntry, PersonSnapshot
from backend.domain.policy import PolicyPack
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.ruling import LineRuling, RulingKind

DAY = dt.date(2026, 3, 2)
LONG_AGO, FAR = dt.date(2020, 1, 1), dt.date(2030, 12, 31)


def person(insurance: str = "310", kind: str = "1101", **changes: Any) -> PersonSnapshot:
    if insurance == "390" and kind == "1101":
        kind = "resident"
    cover = changes.pop("cover", (CoverPeriod(insurance, LONG_AGO, FAR),))
    return PersonSnapshot(
        person_ref="P-0001",
        region="330800",
        insurance_type=insurance,
        person_type=kind,
        as_of=DAY,
        cover=cover,
        **changes,
    )


def line(
    index: int, amount_fen: int, level: str = "01", code: str = "", **changes: Any
) -> BenefitLine:
    """A line of one unit at its amount; ``code`` defaults to the fixture item of its class."""
    values: dict[str, Any] = {
        "index": index,
        "catalogue_code": code or f"FIX-{level}",
        "name": f"item {index}",
        "level": level,
        "quantity_e4": 10_000,
        "price_e6": amount_fen * 10_000,
        "amount_e4": amount_fen * 100,
    }
    return BenefitLine(**(values | changes))


def bill(
    *lines: BenefitLine,
    kind: VisitKind = VisitKind.OUTPATIENT,
    level: int = 3,
    key: int = 1,
    **changes: Any,
) -> BillForBenefit:
    total = sum(entry.amount_e4 for entry in lines)
    values: dict[str, Any] = {
        "invoice_key": key.to_bytes(32, "big"),
        "total_fen": total // 100,
        "visit_date": DAY,
        "visit_kind": kind,
        "hospital_code": "H33080200001",
        "hospital_level": level,
        "lines": lines,
    }
    return BillForBenefit(**(values | changes))


def stay(*lines: BenefitLine, **changes: Any) -> BillForBenefit:
    return bill(*lines, kind=VisitKind.INPATIENT, **changes)


def entry(number: int = 1, **changes: Any) -> HistoryEntry:
    values: dict[str, Any] = {
        "claim_number": f"C-{number}",
        "service_on": dt.date(2026, 1, 15),
        "visit_kind": VisitKind.OUTPATIENT,
        "hospital_code": "H33080200001",
        "insurance_type": "310",
        "in_scope_fen": 0,
        "deductible_fen": 0,
        "pool_paid_fen": 0,
    }
    return HistoryEntry(**(values | changes))


def pack_json(**changes: Any) -> dict[str, Any]:
    """A stripped pack: no deductible, everything in scope paid in full, no caps, no layer 2."""
    value: dict[str, Any] = {
        "format": "yichu-policy-1",
        "pack_id": "fixture",
        "region": "330800",
        "name_zh": "测试",
        "name_en": "fixture",
        "effective_from": "2026-01-01",
        "effective_to": "2026-12-31",
        "clocks": {"promise_working_days": 5, "legal_working_days": 30},
        "catalogue": {"mode": "bill-class"},
        "sources": [
            {"source_id": "s", "title": "t", "confidence": "fixture", "zh": "测试", "en": "test"}
        ],
        "class_b": {"rule_id": "b", "source": "s", "selfpay_bp": 1000},
        "deductibles": [deductible(0)],
        "ratios": [ratio((0, 10_000))],
        "caps": [],
        "remote": {
            "model": "factor",
            "statuses": [
                remote("local", 10_000),
                remote("emergency-not-filed", 8_500),
            ],
        },
        "layer2": [],
    }
    return value | changes


def deductible(standard_fen: int, mode: str = "per-visit", **changes: Any) -> dict[str, Any]:
    return {
        "rule_id": "d",
        "source": "s",
        "mode": mode,
        "standard_fen": standard_fen,
    } | changes


def ratio(*bands: tuple[int, int], **changes: Any) -> dict[str, Any]:
    rows = [{"over_fen": over, "ratio_bp": bp} for over, bp in bands]
    return {"rule_id": "r", "source": "s", "bands": rows} | changes


def cap(limit_fen: int, **changes: Any) -> dict[str, Any]:
    return {"rule_id": "cap", "source": "s", "limit_fen": limit_fen} | changes


def remote(status: str, value_bp: int) -> dict[str, Any]:
    return {
        "rule_id": f"remote-{status}",
        "source": "s",
        "status": status,
        "value_bp": value_bp,
        "zh": status,
        "en": status,
    }


def layer2(cap_fen: int, *bands: tuple[int, int], **changes: Any) -> dict[str, Any]:
    rows = [{"over_fen": over, "ratio_bp": bp} for over, bp in bands]
    return {
        "rule_id": "l2",
        "source": "s",
        "fund": "hifob",
        "bands": rows,
        "cap_fen": cap_fen,
    } | changes


def aid(*bands: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """A rule of layer 3 for people on the minimum allowance, on the year's base."""
    rows = [{"over_fen": over, "ratio_bp": bp} for over, bp in bands]
    return {
        "rule_id": "aid",
        "source": "s",
        "hardship": ["low-income"],
        "base": "year",
        "bands": rows,
    } | changes


def supplement(*bands: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """A civil-servant supplement up to section rank, by the visit."""
    rows = [{"over_fen": over, "ratio_bp": bp} for over, bp in bands]
    return {
        "rule_id": "sup",
        "source": "s",
        "ranks": ["section"],
        "base": "visit",
        "bands": rows,
    } | changes


def tiers(base: str, *bands: tuple[int, int]) -> dict[str, Any]:
    rows = [{"over_fen": over, "selfpay_bp": bp} for over, bp in bands]
    return {"rule_id": "b", "source": "s", "base": base, "bands": rows}


def status(code: str, starts_on: dt.date = LONG_AGO, ends_on: dt.date = FAR) -> DatedStatus:
    return DatedStatus(code, starts_on, ends_on)


def ruling(index: int, kind: str, **changes: Any) -> LineRuling:
    values: dict[str, Any] = {
        "line_index": index,
        "kind": RulingKind(kind),
        "rule_id": "R-1",
        "basis_zh": "依据",
        "basis_en": "basis",
    }
    return LineRuling(**(values | changes))


def pack(catalogue: Catalogue | None = None, **changes: Any) -> PolicyPack:
    if catalogue is not None:
        changes["catalogue"] = {
            "mode": "catalogue",
            "file": "fixture.json",
            "sha256": catalogue.digest.hex(),
        }
    return parse_policy_pack(pack_json(**changes), catalogue)


def item(code: str, level: str, **changes: Any) -> CatalogueItem:
    values: dict[str, Any] = {
        "code": code,
        "name": code,
        "name_en": code,
        "unit": "x",
        "price_fen": 100,
        "level": level,
        "category_code": "09",
        "valid_from": LONG_AGO,
        "valid_to": FAR,
    }
    return CatalogueItem(**(values | changes))


def catalogue(
    *more: CatalogueItem,
    aliases: dict[str, str] | None = None,
    equivalence: tuple[EquivalenceRule, ...] = (),
) -> Catalogue:
    return Catalogue(
        "fixture",
        (
            item("FIX-01", "01"),
            item("FIX-02", "02"),
            item("FIX-03", "03"),
            item("FIX-LIMIT", "02", selfpay_bp=1000, price_limit_fen=10_000),
            item("FIX-RESTRICTED", "01", restricted=True),
            *more,
        ),
        (
            NegativeEntry(
                code="FIX-NEG",
                name="陪护床",
                name_en="companion's bed",
                unit="日",
                price_fen=1500,
                category_code="01",
                valid_from=LONG_AGO,
                valid_to=FAR,
                zh="负面清单：陪护床不能报销",
                en="Negative list: a companion's bed",
                rule_id="neg-bed",
            ),
        ),
        tuple(Alias(alias, code) for alias, code in (aliases or {"OLD-01": "FIX-01"}).items()),
        equivalence,
    )
