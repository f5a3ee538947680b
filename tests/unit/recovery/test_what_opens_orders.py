"""What opens an order beside the bill: a final finding, its parts laid on claims, a revision."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ForbiddenError
from backend.domain.journal import LayerAmounts
from backend.domain.recovery import (
    Cause,
    Debtor,
    RecoveryConflictError,
    RecoveryError,
    State,
)
from backend.domain.supervision import SubjectKind
from backend.service_layer.recovery import causes
from backend.service_layer.recovery.causes import (
    assign,
    open_of_lead,
    propose,
    propose_of_revision,
)
from backend.service_layer.recovery.opening import Ground, order_recovery
from backend.service_layer.recovery.ports import Dismissal, LoweredRevision, OrderedLead
from tests.unit.recovery.debts import NOW, Debts

LEAD = OrderedLead("lead_1", SubjectKind.CLAIM, "clm_1", "H1", 1_500, "稽核认定多付")
OF_BILL = replace(LEAD, subject_kind=SubjectKind.INVOICE, subject_id="inv_1")
OF_HOSPITAL = replace(LEAD, subject_kind=SubjectKind.INSTITUTION, subject_id="H1")
EXPLANATION = {
    "hifp_pay_fen": 3_000, "hifmi_pay_fen": 1_500, "hifob_pay_fen": 500, "maf_pay_fen": 0,
    "cvlserv_pay_fen": 0,
}  # fmt: skip


class Leads(Debts):
    """A claim of which 60.00 yuan are borne (40.00 and 20.00), and a lead that orders 15.00."""

    def __init__(self) -> None:
        super().__init__()
        self.lead = LEAD
        self.on_bill = ["clm_1", "clm_0"]
        self.points: list[str] = []
        self.leads_locked: list[tuple[str, bool]] = []

    def __enter__(self) -> Any:
        work = super().__enter__()
        work.claims.get = self._claim
        work.claims.by_number = lambda number: {"C1": self.claim}[number]
        work.leads = SimpleNamespace(
            get=lambda name, *, lock: self.leads_locked.append((name, lock))
        )
        work.recoveries.ordered_lead = lambda name: {"lead_1": self.lead}[name]
        work.recoveries.claims_of_invoice = lambda bill: self.on_bill if bill == "inv_1" else []
        work.recoveries.of_source = lambda cause, name: [
            one
            for one in self.orders.values()
            if (one.order.cause, one.order.source_id) == (cause, name)
        ]
        return work

    def _claim(self, name: str, *, lock: bool = False) -> Any:
        assert name == "clm_1"
        assert lock is False or self.locked == ["per_1"], "the person is locked before the claim"
        return self.claim


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> Leads:
    made = Leads()

    def person_of(work: Any, by: str, institution: str = "") -> str:
        if by == "H1 的人" and institution == "H1":
            raise ForbiddenError("不能办", "of the institution")
        return by

    monkeypatch.setattr(causes, "person_of", person_of)
    monkeypatch.setattr(causes, "reach", made.points.append)
    return made


# --- a finding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", [LEAD, OF_BILL])
def test_what_a_finding_orders_is_owed_by_the_institution_at_once(
    leads: Leads, lead: OrderedLead
) -> None:
    leads.alarms = {("recovery-unassigned", "lead_1"): "", ("recovery-unassigned", "lead_2"): ""}
    assert open_of_lead(leads.deps, replace(lead, reason="由" * 600)) is True
    found = leads.orders["C1-R1"]
    assert (found.order.cause, found.order.source_id, found.order.reason) == (
        Cause.FINDING, "lead_1", "由" * 500,
    )  # fmt: skip
    assert (found.order.debtor, found.order.institution_code) == (Debtor.INSTITUTION, "H1")
    # 15.00 of 40.00 and 20.00, in proportion.
    assert (found.order.layers, found.state) == (LayerAmounts(1_000, 500), State.OPEN)
    assert leads.kinds == ["recovery-opened"] and leads.notices == []
    assert list(leads.alarms) == [("recovery-unassigned", "lead_2")]
    assert (leads.locked, leads.commits, leads.points) == (["per_1"], 1, ["recovery.ordered"])


def test_of_more_than_the_fund_bore_the_rest_is_an_alarm(leads: Leads) -> None:
    assert open_of_lead(leads.deps, replace(LEAD, amount_fen=6_001)) is True
    assert leads.orders["C1-R1"].order.amount_fen == 6_000
    assert leads.alarms == {
        ("recovery-short", "lead_1"): "6001 fen ordered, 6000 borne of claim C1"
    }
    whole = Leads()
    assert open_of_lead(whole.deps, replace(LEAD, amount_fen=6_000)) is True
    assert whole.alarms == {}


@pytest.mark.parametrize(
    "lead", [OF_HOSPITAL, replace(OF_BILL, subject_id="inv_9")], ids=["hospital", "no claim"]
)
def test_a_finding_of_no_one_claim_waits_for_a_person(leads: Leads, lead: OrderedLead) -> None:
    assert open_of_lead(leads.deps, lead) is False
    assert leads.alarms == {("recovery-unassigned", "lead_1"): "1500 fen, no one claim"}
    assert leads.orders == {} and leads.commits == 1 and leads.points == []


def test_a_claim_of_which_the_fund_bears_nothing_is_no_one_to_lay_it_on(leads: Leads) -> None:
    leads.books.stored.clear()
    assert open_of_lead(leads.deps, LEAD) is False
    assert leads.alarms == {
        ("recovery-unassigned", "lead_1"): "claim C1: the fund bears nothing of it now"
    }
    assert leads.orders == {} and leads.commits == 1 and leads.points == []


# --- laid on claims -------------------------------------------------------------------------------


def lay(leads: Leads, amount: int, by: str = "稽核甲") -> Any:
    return assign(leads.deps, "lead_1", "C1", amount, by=by)


def test_a_part_is_laid_on_a_claim_and_the_rest_still_waits(leads: Leads) -> None:
    leads.lead = OF_HOSPITAL
    leads.alarms = {("recovery-unassigned", "lead_1"): ""}
    made = lay(leads, 600)
    assert (made.order.amount_fen, made.order.institution_code) == (600, "H1")
    assert made.order.layers == LayerAmounts(400, 200) and made.order.source_id == "lead_1"
    assert list(leads.alarms) == [("recovery-unassigned", "lead_1")]
    assert leads.leads_locked == [("lead_1", True)] and leads.locked == ["per_1"]
    assert leads.commits == 1 and leads.points == ["recovery.ordered"]


def test_the_last_part_ends_the_alarms_of_the_lead(leads: Leads) -> None:
    codes = ("recovery-unassigned", "recovery-short")
    leads.alarms = {(code, lead): "" for code in codes for lead in ("lead_1", "lead_2")}
    assert lay(leads, 1_500).order.amount_fen == 1_500
    assert list(leads.alarms) == [(code, "lead_2") for code in codes]


def refused(
    leads: Leads, error: type[Exception], amount: int = 600, **more: Any
) -> tuple[str, str]:
    before = dict(leads.orders)
    with pytest.raises(error) as caught:
        lay(leads, amount, **more)
    assert leads.orders == before and leads.commits == 0 and leads.points == []
    return getattr(caught.value, "zh", ""), getattr(caught.value, "en", "")


def test_nobody_of_the_institution_lays_it_on_claims(leads: Leads) -> None:
    refused(leads, ForbiddenError, by="H1 的人")


def test_another_institutions_bill_takes_no_part(leads: Leads) -> None:
    leads.bill.institution_code = "H2"
    assert refused(leads, RecoveryError) == (
        "这张票据不是该机构的", "the bill is another institution's",
    )  # fmt: skip


def test_a_claim_takes_one_part_of_a_lead(leads: Leads) -> None:
    lay(leads, 600)
    leads.commits, leads.points, leads.locked = 0, [], []
    assert refused(leads, RecoveryConflictError) == (
        "这笔申请已分到一份", "the claim has its part already",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ordered", "elsewhere", "amount", "most"),
    [
        (1_500, 0, 1_501, 1_500), (1_500, 1_000, 501, 500), (9_000, 0, 6_001, 6_000),
        (1_500, 0, 0, 1_500), (1_500, 0, -1, 1_500), (1_500, 1_500, 1, 0),
    ],
)  # fmt: skip
def test_no_more_is_laid_than_was_ordered_or_the_fund_bears(
    leads: Leads, ordered: int, elsewhere: int, amount: int, most: int
) -> None:
    leads.lead = replace(LEAD, amount_fen=ordered)
    if elsewhere:  # on another claim of the hospital
        ground = Ground(Cause.FINDING, "lead_1", "x", institution_code="H1")
        with leads as work:
            made = order_recovery(leads.deps, work, leads.claim, LayerAmounts(elsewhere), ground)
        found = leads.orders.pop(made.order.id)
        leads.orders["C0-R1"] = replace(found, order=replace(found.order, claim_id="clm_0"))
        leads.books.stored = {k: v for k, v in leads.books.stored.items() if v.kind == "approved"}
    assert refused(leads, RecoveryConflictError, amount) == (
        f"这里最多可分 {most} 分", f"at most {most} fen can be laid on this claim",
    )  # fmt: skip


def test_all_that_is_left_may_be_laid(leads: Leads) -> None:
    leads.lead = replace(LEAD, amount_fen=6_000)
    assert lay(leads, 6_000).order.layers == LayerAmounts(4_000, 2_000)
    other = Leads()
    other.lead = replace(LEAD, amount_fen=9_000)
    assert lay(other, 6_000).order.amount_fen == 6_000


# --- less than was decided ------------------------------------------------------------------------


def revision(explanation: dict[str, Any]) -> LoweredRevision:
    return LoweredRevision("rev_1", "clm_1", json.dumps(explanation), "复" * 600)


def test_what_a_revision_gives_less_is_proposed_by_layer(leads: Leads) -> None:
    assert propose_of_revision(leads.deps, revision(EXPLANATION)) is True
    found = leads.orders["C1-R1"]
    # 40.00 and 20.00 are borne, 30.00 and 20.00 are right.
    assert (found.order.layers, found.state) == (LayerAmounts(1_000), State.PROPOSED)
    assert (found.order.cause, found.order.source_id, found.order.reason) == (
        Cause.LOWER, "rev_1", "复" * 500,
    )  # fmt: skip
    assert (found.order.debtor, found.order.institution_code) == (Debtor.PERSON, None)
    assert leads.alarms == {("recovery-proposed", "C1-R1"): "lower: 1000 fen"}
    assert leads.kinds == [] and leads.locked == ["per_1"]
    assert leads.commits == 1 and leads.points == ["recovery.proposed"]


def test_a_reopening_without_amounts_is_worked_out_again(
    leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(deps: Any, work: Any, claim: Any) -> Any:
        assert deps.network_key and work.recoveries and claim.number == "C1"
        return (SimpleNamespace(to_estimate=lambda: EXPLANATION), None)

    monkeypatch.setattr(causes, "adjudicate_again", again)
    assert propose_of_revision(leads.deps, revision({"reopened": 1})) is True
    assert leads.orders["C1-R1"].order.amount_fen == 1_000


@pytest.mark.parametrize("pool", [4_000, 5_000])
def test_no_less_than_is_borne_proposes_nothing(leads: Leads, pool: int) -> None:
    assert propose_of_revision(leads.deps, revision(EXPLANATION | {"hifp_pay_fen": pool})) is False
    assert leads.orders == {} and leads.commits == 0 and leads.points == []


def test_a_claim_whose_money_is_still_under_way_waits(leads: Leads) -> None:
    leads.claim = replace(leads.claim, state=ClaimState.PAYING)
    assert propose_of_revision(leads.deps, revision(EXPLANATION)) is False
    assert leads.orders == {}


def test_the_same_ground_again_is_the_proposal_that_is_there_and_another_one_is_another(
    leads: Leads,
) -> None:
    def proposed(ground: Ground, pool: int) -> Any:
        leads.locked.clear()
        with leads as work:
            return propose(leads.deps, work, leads.claim, LayerAmounts(pool, 2_000), ground)

    first = proposed(Ground(Cause.LOWER, "rev_1", "x"), 3_000)
    assert first.order.id == "C1-R1" and first.order.amount_fen == 1_000
    again = proposed(Ground(Cause.LOWER, "rev_1", "x"), 2_000)
    assert again.order == first.order
    leads.alarms[("recovery-proposed", "C9-R1")] = ""
    assert proposed(Ground(Cause.LOWER, "rev_2", "x"), 3_000).order.id == "C1-R2"
    # Two proposals of one claim would ask for the same money twice: the older one ends.
    assert leads.dismissals == [
        Dismissal(
            "C1-R1", "system:recovery", "已有新的追款提议 C1-R2 / C1-R2 was proposed instead", NOW
        )
    ]
    assert list(leads.alarms) == [("recovery-proposed", "C9-R1"), ("recovery-proposed", "C1-R2")]
    ground = Ground(Cause.CLEARING, "rev_1", "x", by="清算员甲")
    assert proposed(ground, 3_000).order.id == "C1-R3"
    assert [(one.order_id, one.by) for one in leads.dismissals] == [
        ("C1-R1", "system:recovery"), ("C1-R2", "清算员甲"),
    ]  # fmt: skip


def test_what_is_owed_at_once_is_never_proposed(leads: Leads) -> None:
    with leads as work, pytest.raises(AssertionError):
        propose(leads.deps, work, leads.claim, LayerAmounts(), Ground(Cause.VOID, "inv_1", "x"))
