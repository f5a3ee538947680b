"""What one person's year is worked out from, and when it is left for a later run."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.clearing import ClearedYear, Difference, Finding, Inputs, Order, YearClaim
from backend.domain.journal import LayerAmounts
from backend.domain.person import HistoryEntry, VisitKind
from backend.domain.policy import PolicyError
from backend.domain.recovery import Cause
from backend.domain.revision import RequestKind
from backend.service_layer.claims.records import Claim
from backend.service_layer.clearing import year
from backend.service_layer.clearing.year import PersonYear, work_out
from tests.unit.payout.payables import CLAIM

DAY = dt.date(2025, 3, 1)
PAID = replace(CLAIM, state=ClaimState.PAID, service_on=DAY)
EXPLANATION = {
    "service_on": "2025-03-01", "visit_kind": "outpatient", "hospital_code": "H1",
    "insurance_type": "310", "inscp_scp_amt_fen": 100_000, "act_pay_dedc_fen": 30_000,
    "hifp_pay_fen": 4_000, "layer2_base_fen": 500, "hifmi_pay_fen": 300, "hifob_pay_fen": 0,
    "maf_pay_fen": 20, "cvlserv_pay_fen": 1, "hifdm_pay_fen": 0,
}  # fmt: skip
ENTRY = HistoryEntry(
    "C1", DAY, VisitKind.OUTPATIENT, "H1", "310", 100_000, 30_000, 4_000, 500, 300, "settled",
    layer3_paid_fen=20, supplement_paid_fen=1,
)  # fmt: skip


def numbered(number: int, state: ClaimState = ClaimState.PAID) -> Claim:
    return replace(
        PAID, id=f"clm_{number}", number=f"C{number}", version_id=f"ver_{number}", state=state
    )


class Year:
    """The claims of a person's year, each with a decision of 43.21 yuan on an active bill."""

    def __init__(self, *claims: Claim) -> None:
        self.live = list(claims or [PAID])
        self.bills: dict[str, str] = {}
        self.explanations: dict[str, str] = {}
        self.requests: dict[str, list[Any]] = {}
        self.orders: list[Any] = []
        self.is_by_day = False
        self.asked: list[tuple[str, int]] = []

    @property
    def deps(self) -> Any:
        return SimpleNamespace(packs=("packs",), settings=SimpleNamespace(region="330800"))

    @property
    def work(self) -> Any:
        def asked(answer: Any) -> Any:
            def answers(person: str, of: int) -> Any:
                self.asked.append((person, of))
                return answer

            return answers

        def decision(claim: str) -> Any:
            text = self.explanations.get(claim, json.dumps(EXPLANATION))
            return SimpleNamespace(explanation=text, paid_fen=4_321)

        return SimpleNamespace(
            claims=SimpleNamespace(
                live_of_year=asked(self.live),
                bill_of_version=lambda version: SimpleNamespace(
                    state=self.bills.get(version, "active"), invoice_key=version.encode()
                ),
                rulings_of=lambda claim: [f"ruling of {claim}"],
            ),
            decisions=SimpleNamespace(latest=decision),
            revisions=SimpleNamespace(of_claim=lambda claim: self.requests.get(claim, [])),
            clearings=SimpleNamespace(is_ordered_by_day=asked(self.is_by_day)),
            recoveries=SimpleNamespace(
                of_claim=lambda claim: self.orders if claim == "clm_1" else []
            ),
        )

    def worked_out(self) -> PersonYear:
        return work_out(self.deps, self.work, "per_1", 2025)


class Domain:
    """What ``clear_year`` is handed, and what it is to find."""

    def __init__(self) -> None:
        self.claims: Sequence[YearClaim] = ()
        self.by_day: bool | None = None
        self.findings: dict[str, Finding] = {}
        self.error: Exception | None = None

    def __call__(self, claims: Sequence[YearClaim], *, by_day: bool) -> ClearedYear:
        if self.error is not None:
            raise self.error
        self.claims, self.by_day = claims, by_day
        found = tuple(
            Difference(one, self.findings.get(one.number, Finding.SAME), LayerAmounts(), None, None)
            for one in claims
        )
        return ClearedYear(Order.DECIDED, found)


@pytest.fixture(autouse=True)
def domain(monkeypatch: pytest.MonkeyPatch) -> Domain:
    found = Domain()
    monkeypatch.setattr(year, "clear_year", found)
    monkeypatch.setattr(
        year, "snapshot_of", lambda deps, work, person, day: f"snapshot of {person} on {day}"
    )
    monkeypatch.setattr(
        year, "pick_pack", lambda packs, region, day: f"{packs[0]} of {region} on {day}"
    )
    monkeypatch.setattr(
        year, "benefit_view",
        lambda work, bill, pack, snapshot: f"{bill.invoice_key!r} by {pack}, {snapshot}",
    )  # fmt: skip
    return found


def test_a_claim_is_worked_out_from_its_bill_person_rules_and_rulings_as_known_now(
    domain: Domain,
) -> None:
    whole = Year()
    whole.is_by_day = True
    asked_back = SimpleNamespace(cause=Cause.LOWER, layers=LayerAmounts(7))
    whole.orders = [SimpleNamespace(order=asked_back, is_opened=True, is_dismissed=False)]
    found = whole.worked_out()
    pack, snapshot = "packs of 330800 on 2025-03-01", "snapshot of per_1 on 2025-03-01"
    inputs: Any = Inputs(pack, f"b'ver_1' by {pack}, {snapshot}", snapshot, ["ruling of clm_1"])  # type: ignore[arg-type, list-item]
    assert domain.claims == [
        YearClaim(
            "C1", DAY, b"ver_1", LayerAmounts(4_000, 300, 20, 1), ENTRY, inputs, LayerAmounts(7)
        )
    ]
    assert domain.by_day is True and whole.asked == [("per_1", 2025), ("per_1", 2025)]
    assert (found.outcome, found.detail, found.claims) == ("cleared", "", {"C1": PAID})
    assert found.year is not None and found.year.claims[0].claim is domain.claims[0]


def test_without_a_rule_of_today_a_claim_counts_as_it_was_decided(
    domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_rule(*_: object) -> str:
        raise PolicyError("没有规定", "no rule")

    monkeypatch.setattr(year, "benefit_view", no_rule)
    assert Year().worked_out().outcome == "cleared"
    assert [(one.number, one.inputs) for one in domain.claims] == [("C1", None)]


def test_a_bill_that_is_void_or_reversed_counts_for_nothing(domain: Domain) -> None:
    found = Year(numbered(1), numbered(2), numbered(3))
    found.bills = {"ver_1": "void", "ver_3": "reversed"}
    assert list(found.worked_out().claims) == ["C2"]
    assert [one.number for one in domain.claims] == ["C2"]


@pytest.mark.parametrize(
    "state", [ClaimState.RELEASING, ClaimState.WITHDRAWING, ClaimState.REVERSED]
)
def test_what_was_given_back_counts_for_nothing_and_nothing_waits_for_it(state: ClaimState) -> None:
    assert list(Year(numbered(1), numbered(2, state)).worked_out().claims) == ["C1"]


@pytest.mark.parametrize(
    "state",
    [ClaimState.SETTLED, ClaimState.PAYING, ClaimState.PAID, ClaimState.SUPPLEMENTING],
)
def test_what_is_final_on_the_ledger_counts(state: ClaimState) -> None:
    assert Year(numbered(1, state)).worked_out().outcome == "cleared"


@pytest.mark.parametrize(
    "state", [ClaimState.SUBMITTED, ClaimState.DECIDED, ClaimState.LODGED, ClaimState.PENDED]
)
def test_a_year_with_an_open_claim_is_left_for_later(state: ClaimState, domain: Domain) -> None:
    found = Year(numbered(1), numbered(2, state)).worked_out()
    assert found == PersonYear("deferred", "open: C2", {}, None) and domain.by_day is None


def test_five_claims_at_most_are_named() -> None:
    many = [numbered(n, ClaimState.SUBMITTED) for n in range(1, 8)]
    assert Year(*many).worked_out().detail == "open: C1, C2, C3, C4, C5"
    asked = Year(*(numbered(n) for n in range(1, 8)))
    asked.requests = {f"clm_{n}": [request(RequestKind.APPEAL)] for n in range(1, 8)}
    assert asked.worked_out().detail == "open: C1, C2, C3, C4, C5"


def request(kind: RequestKind, *, is_open: bool = True) -> Any:
    return SimpleNamespace(is_open=is_open, request=SimpleNamespace(kind=kind))


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        (request(RequestKind.APPEAL), "deferred"),
        (request(RequestKind.REOPEN), "deferred"),
        (request(RequestKind.APPEAL, is_open=False), "cleared"),
        (request(RequestKind.REVISION), "cleared"),
    ],
)
def test_a_claim_that_is_about_to_be_decided_again_is_waited_for(asked: Any, outcome: str) -> None:
    found = Year(numbered(1), numbered(2))
    found.requests = {"clm_2": [request(RequestKind.REVISION), asked]}
    said = found.worked_out()
    assert (said.outcome, said.detail) == (outcome, "open: C2" if outcome == "deferred" else "")


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "JSONDecodeError"),
        ("{}", "KeyError"),
        (json.dumps(EXPLANATION | {"hifp_pay_fen": 4_001}), "bad-journal-entry"),
    ],
)
def test_a_claim_that_cannot_be_read_keeps_its_year_and_is_named(
    text: str, code: str, domain: Domain
) -> None:
    found = Year(numbered(1), numbered(2))
    found.explanations = {"clm_2": text}
    assert found.worked_out() == PersonYear("unreadable", f"C2: {code}", {}, None)
    assert domain.by_day is None


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("x"), "ValueError"), (PolicyError("坏", "bad"), "no-rule")]
)
def test_a_year_that_cannot_be_worked_out_says_why(
    error: Exception, code: str, domain: Domain
) -> None:
    domain.error = error
    found = Year().worked_out()
    assert (found.outcome, found.detail, found.claims, found.year) == ("unreadable", code, {}, None)


# --- money on its way -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "finding", "outcome"),
    [
        (ClaimState.PAYING, Finding.LESS, "deferred"),
        (ClaimState.SETTLED, Finding.LESS, "deferred"),
        (ClaimState.PAID, Finding.LESS, "cleared"),
        (ClaimState.PAYING, Finding.MORE, "cleared"),
        (ClaimState.PAYING, Finding.SAME, "cleared"),
    ],
)
def test_what_is_still_on_its_way_is_not_asked_back(
    state: ClaimState, finding: Finding, outcome: str, domain: Domain
) -> None:
    domain.findings = {"C2": finding}
    found = Year(numbered(1), numbered(2, state)).worked_out()
    if outcome == "deferred":
        assert found == PersonYear("deferred", "payment under way: C2", {}, None)
    else:
        assert (found.outcome, list(found.claims)) == ("cleared", ["C1", "C2"])


def test_five_payments_on_their_way_at_most_are_named(domain: Domain) -> None:
    domain.findings = {f"C{n}": Finding.LESS for n in range(1, 8)}
    found = Year(*(numbered(n, ClaimState.PAYING) for n in range(1, 8))).worked_out()
    assert found.detail == "payment under way: C1, C2, C3, C4, C5"
