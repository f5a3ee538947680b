"""What a year was for a hospital: by hand-made claims, journal sums and bills of the counter."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.clearing import ClearingError, HospitalYear, ManualClaim
from backend.domain.errors import NotFoundError
from backend.domain.journal import LayerAmounts
from backend.service_layer.clearing import statement
from backend.service_layer.clearing.records import SettledBill, StatedClaim
from backend.service_layer.clearing.statement import yearly_statement

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)


def stated(number: int, hospital: str = "H1", pool: int = 4_000, **changed: Any) -> StatedClaim:
    """A paid claim on a bill of 1,000.00 with 900.00 in scope."""
    explanation = {
        "hospital_code": hospital, "medfee_sumamt_fen": 100_000, "inscp_scp_amt_fen": 90_000,
        "hifp_pay_fen": pool, "hifmi_pay_fen": 300, "hifob_pay_fen": 200, "maf_pay_fen": 20,
        "cvlserv_pay_fen": 1,
    }  # fmt: skip
    values: dict[str, Any] = {"state": "paid", "is_bill_active": True, "paid_fen": pool + 521}
    return StatedClaim(
        f"clm_{number}", f"C{number}", explanation=json.dumps(explanation), **(values | changed)
    )


WHOLE = {"pool": 4_000, "serious-illness": 500, "medical-aid": 20, "civil-servant": 1}


def bill(number: int, hospital: str, total: int, header: str) -> SettledBill:
    return SettledBill(f"ver_{number}", hospital, total, header)


class Books:
    """Claims with what the journal has the funds bear of each, and bills of the counter."""

    def __init__(self, *claims: StatedClaim, bills: tuple[SettledBill, ...] = ()) -> None:
        self.claims, self.bills = list(claims), list(bills)
        self.borne: dict[str, dict[str, int]] = {}
        self.orders: dict[str, list[Any]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.known = {"H1"}

    @property
    def deps(self) -> Any:
        return SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), work=self._work)

    def _work(self, *, write: bool) -> Any:
        assert write is False, "a statement only reads"
        return self

    def __enter__(self) -> Any:
        def claims_page(*asked: Any) -> list[StatedClaim]:
            self.asked.append(("claims", *asked))
            *_, after, limit = asked
            return [one for one in self.claims if one.claim_id > after][:limit]

        def bills_page(*asked: Any) -> list[SettledBill]:
            self.asked.append(("bills", *asked))
            _, hospital, after, limit = asked
            mine = [one for one in self.bills if hospital in (None, one.institution_code)]
            return [one for one in mine if one.version_id > after][:limit]

        return SimpleNamespace(
            clearings=SimpleNamespace(
                stated_claims=claims_page, settled_bills=bills_page,
                borne_by=lambda ids: {name: self.borne.get(name, WHOLE) for name in ids},
            ),
            recoveries=SimpleNamespace(of_claim=lambda name: self.orders.get(name, [])),
            institutions=SimpleNamespace(find=lambda code: code if code in self.known else None),
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        return None


def owed(*layers: int, waived: int | None = None) -> Any:
    return SimpleNamespace(
        order=SimpleNamespace(layers=LayerAmounts(*layers)), is_opened=True, is_dismissed=False,
        waiver=None if waived is None else SimpleNamespace(amount_fen=waived),
    )  # fmt: skip


def test_a_hospitals_claims_are_summed_by_layer_from_the_journal() -> None:
    books = Books(stated(1), stated(2, pool=6_000), stated(3, "H0"))
    books.borne["clm_2"] = WHOLE | {"pool": 6_000}
    told: list[ManualClaim] = []
    other, found = yearly_statement(books.deps, 2026, report=told.append)
    assert (other.hospital_code, other.claims) == ("H0", 1)
    assert found == HospitalYear(
        "H1", claims=2, total_fen=200_000, in_scope_fen=180_000,
        layers={"pool": 10_000, "serious-illness": 1_000, "medical-aid": 40, "civil-servant": 2},
    )  # fmt: skip
    assert told[0] == ManualClaim(
        "C1", "H1", 100_000, 90_000, LayerAmounts(4_000, 500, 20, 1), LayerAmounts(), 0, WHOLE,
        is_booked=True,
    )  # fmt: skip
    assert [one.number for one in told] == ["C1", "C2", "C3"]
    assert books.asked == [("claims", 2026, None, "", 500), ("bills", 2026, None, "", 500)]


def test_a_claim_whose_journal_differs_from_decision_and_orders_is_named() -> None:
    books = Books(stated(1), stated(2), stated(3), stated(4))
    books.borne["clm_1"] = WHOLE | {"pool": 3_999}
    books.borne["clm_2"] = books.borne["clm_3"] = WHOLE | {"pool": 3_000}
    books.borne["clm_4"] = WHOLE | {"pool": 3_400}
    books.orders = {
        "clm_2": [owed(600), owed(400)],
        "clm_3": [owed(999)],
        "clm_4": [owed(1_000, waived=300), owed(0, waived=100)],
    }
    told: list[ManualClaim] = []
    [found] = yearly_statement(books.deps, 2026, report=told.append)
    assert found.untied == ["C1", "C3"]
    assert [(one.taken.pool_fen, one.waived_fen) for one in told] == [
        (0, 0), (1_000, 0), (999, 0), (1_000, 400),
    ]  # fmt: skip


def test_of_a_bill_that_fell_only_what_the_funds_still_bear_is_named() -> None:
    books = Books(stated(1, is_bill_active=False), stated(2, is_bill_active=False), stated(3))
    books.borne["clm_1"] = {}
    told: list[ManualClaim] = []
    [found] = yearly_statement(books.deps, 2026, report=told.append)
    assert (found.claims, found.untied) == (1, ["C2"])
    assert [one.number for one in told] == ["C3"]


def test_what_is_decided_and_not_booked_yet_is_on_its_way() -> None:
    books = Books(stated(1, state="settled"), stated(2, state="supplementing"))
    books.borne = {"clm_1": {}, "clm_2": WHOLE | {"pool": 3_000}}
    [found] = yearly_statement(books.deps, 2026)
    # 45.21 of the first, and 10.00 of the second beyond what is booked.
    assert (found.on_the_way_fen, found.untied) == (5_521, [])


def test_bills_of_the_counter_stand_apart_with_what_the_fund_paid_there() -> None:
    books = Books(
        stated(1),
        bills=(
            bill(1, "H1", 5_000, '{"fund_pay_fen": 3000}'),
            bill(2, "H1", 700, "{}"), bill(3, "H2", 1, '{"fund_pay_fen": 1}'),
        ),
    )  # fmt: skip
    first, second = yearly_statement(books.deps, 2026)
    assert (first.settled_bills, first.settled_total_fen, first.settled_fund_fen) == (
        2, 5_700, 3_000,
    )  # fmt: skip
    assert (first.claims, second.claims, second.settled_fund_fen) == (1, 0, 1)


def test_one_hospital_is_told_alone() -> None:
    books = Books(
        stated(1), stated(2, "H2"), bills=(bill(1, "H2", 5, "{}"), bill(2, "H1", 7, "{}"))
    )
    told: list[ManualClaim] = []
    [found] = yearly_statement(books.deps, 2026, "H1", told.append)
    assert (found.hospital_code, found.claims, found.settled_total_fen) == ("H1", 1, 7)
    assert [one.number for one in told] == ["C1"]
    assert books.asked == [("claims", 2026, "H1", "", 500), ("bills", 2026, "H1", "", 500)]


def test_a_hospital_without_anything_is_told_when_it_is_one() -> None:
    assert yearly_statement(Books().deps, 2026, "H1") == [HospitalYear("H1")]
    with pytest.raises(NotFoundError) as caught:
        yearly_statement(Books().deps, 2026, "H9")
    assert (caught.value.zh, caught.value.en) == (
        "没有编码为 H9 的机构，也没有它的票据",
        "there is no institution H9, and no bill of one",
    )
    only_bills = Books(bills=(bill(1, "H9", 5, "{}"),))
    assert yearly_statement(only_bills.deps, 2026, "H9")[0].settled_bills == 1


def test_a_year_that_is_none_is_refused_and_an_open_one_is_told() -> None:
    with pytest.raises(ClearingError, match="2027 is no year"):
        yearly_statement(Books().deps, 2027)
    assert yearly_statement(Books().deps, 2026) == []


def test_claims_and_bills_are_read_a_page_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "PAGE", 2)
    many = tuple(bill(n, "H1", 1, "{}") for n in range(1, 5))
    books = Books(*(stated(n) for n in range(1, 4)), bills=many)
    [found] = yearly_statement(books.deps, 2026)
    assert (found.claims, found.settled_bills) == (3, 4)
    assert [one[3] for one in books.asked if one[0] == "claims"] == ["", "clm_2"]
    assert [one[3] for one in books.asked if one[0] == "bills"] == ["", "ver_2", "ver_4"]
