"""What people do with an order: two say that it stands, divide it, take money down, give it up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ForbiddenError
from backend.domain.journal import LayerAmounts
from backend.domain.recovery import (
    Approval,
    Cause,
    Instalment,
    Receipt,
    Recovery,
    RecoveryConflictError,
    RecoveryError,
    SamePersonError,
    State,
    Waiver,
)
from backend.service_layer.recovery import causes, files, people
from backend.service_layer.recovery.files import ReceiptFileError, take_in_receipts
from backend.service_layer.recovery.opening import Ground, order_recovery
from backend.service_layer.recovery.people import (
    Incoming,
    approve,
    approve_waiver,
    ask_waiver,
    ask_waiver_of_set_aside,
    dismiss,
    plan,
    receive,
)
from backend.service_layer.recovery.ports import Dismissal, WaiverRequest
from backend.service_layer.recovery.read import owed_by_citizen
from tests.unit.recovery.debts import NOW, Debts

TODAY = dt.date(2026, 11, 20)
WHY = "复核后确认"
LOWER = Ground(Cause.LOWER, "rev_1", "复核改定")
OF_H1 = Ground(Cause.FINDING, "lead_1", "稽核认定多付", institution_code="H1")
PART = LayerAmounts(1_000, 500)


class Office(Debts):
    """A claim of which 60.00 yuan are borne, orders of it, and a simulated bank."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[WaiverRequest] = []
        self.answered: list[int] = []
        self.paid_in: list[tuple[Any, ...]] = []
        self.points: list[str] = []

    @property
    def deps(self) -> Any:
        deps = super().deps
        deps.work = self._work
        deps.bank.pay_in = lambda *said: self.paid_in.append(said)
        account = SimpleNamespace(number="3308000000000001")
        deps.settings = SimpleNamespace(payout=SimpleNamespace(account_of={"330800": account}.get))
        return deps

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        return self

    def __enter__(self) -> Any:
        work = super().__enter__()
        rows = work.recoveries
        rows.of_claim = lambda claim: list(self.orders.values()) if claim == "clm_1" else []

        def keep(name: str, **fields: Callable[[Recovery], Any]) -> None:
            found = self.orders[name]
            self.orders[name] = replace(found, **{k: make(found) for k, make in fields.items()})

        rows.add_approval = lambda one: keep(
            one.order_id, approvals=lambda found: (*found.approvals, one)
        )
        rows.add_plan = lambda parts: keep(
            parts[0].order_id, instalments=lambda found: (*found.instalments, *parts)
        )
        rows.receipt = lambda reference: next(
            (r for one in self.orders.values() for r in one.receipts if r.reference == reference),
            None,
        )
        rows.waiver_requests = lambda name: list(self.requests)
        rows.add_waiver_request = self.requests.append
        rows.add_waiver = lambda one, ordinal: (
            self.answered.append(ordinal), keep(one.order_id, waiver=lambda found: one)
        )  # fmt: skip
        return work

    def has(self, ground: Ground = LOWER, layers: LayerAmounts = PART) -> str:
        with self as work:
            return order_recovery(self.deps, work, self.claim, layers, ground).order.id

    def owed(self, layers: LayerAmounts = PART) -> str:
        """An order of the person on which two have decided."""
        name = self.has(layers=layers)
        for by in ("经办甲", "经办乙"):
            approve(self.deps, name, by, WHY)
        self.points.clear()
        self.notices.clear()
        return name


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office()

    def person_of(work: Any, by: str, institution: str = "") -> str:
        assert work.recoveries, "asked within the transaction"
        if by == "H1 的人" and institution == "H1":
            raise ForbiddenError("不能办", "of the institution")
        return by.strip()

    monkeypatch.setattr(people, "person_of", person_of)
    for module in (people, causes, files):
        monkeypatch.setattr(module, "reach", made.points.append)
    return made


def refuses(
    office: Office, error: type[Exception], act: Callable[..., Any], *asked: Any,
    says: tuple[str, str] | None = None, **more: Any,
) -> None:  # fmt: skip
    before = (dict(office.orders), office.commits, office.kinds, list(office.requests))
    with pytest.raises(error) as caught:
        act(office.deps, *asked, **more)
    if says is not None:
        assert (getattr(caught.value, "zh", ""), getattr(caught.value, "en", "")) == says
    assert (dict(office.orders), office.commits, office.kinds, list(office.requests)) == before
    assert office.points == []


# --- two people -----------------------------------------------------------------------------------


def test_with_the_second_person_the_amount_is_owed_booked_and_told(office: Office) -> None:
    name = office.has()
    assert office.orders[name].state is State.PROPOSED and office.kinds == []
    first = approve(office.deps, name, "经办甲", f"  {WHY} ")
    assert first.state is State.PROPOSED and office.kinds == [] and office.notices == []
    assert ("recovery-proposed", name) in office.alarms
    second = approve(office.deps, name, "经办乙", WHY)
    assert second.approvals == (
        Approval(name, 1, "经办甲", WHY, NOW), Approval(name, 2, "经办乙", WHY, NOW),
    )  # fmt: skip
    assert (second.state, second.left_fen) == (State.OPEN, 1_500)
    assert office.kinds == ["recovery-opened"] and office.alarms == {}
    assert office.points == ["recovery.approved"] * 2 and office.commits == 2
    assert office.locked == ["per_1", "per_1"]
    [notice] = office.notices
    assert (notice.person_id, notice.kind) == ("per_1", "recovery")
    assert notice.zh == (
        "有一笔报销款需要退回：15.00 元（复核改定，应报金额减少）。请在 12 月 20 日前转账退回，"
        f"附言写 {name}；也可以申请分期或提出异议。"
        "请从官方入口登录查看，工作人员不会向您要密码或验证码。"
    )
    assert notice.en == (
        "¥15.00 of your benefit are to be paid back by 2026-12-20 (a review found that less was "
        f"due), by transfer with the reference {name}. You can ask for instalments or object. Log "
        "in by the official entry only: staff never ask for a password or a code."
    )


@pytest.mark.parametrize("again", ["Wang Fang", "wang  fang", "ＷＡＮＧ ＦＡＮＧ"])
def test_the_same_name_in_other_letters_is_no_second_person(office: Office, again: str) -> None:
    name = office.has()
    approve(office.deps, name, "Wang Fang", WHY)
    office.points.clear()
    refuses(
        office, SamePersonError, approve, name, again, WHY,
        says=("您已批准过，需要另一个人", "you have approved it: another person must too"),
    )  # fmt: skip
    approve(office.deps, name, "经办乙", WHY)
    ask_waiver(office.deps, name, "Wang Fang", "家庭困难")
    office.points.clear()
    refuses(
        office, SamePersonError, approve_waiver, name, again,
        says=("提出人不能批准", "who asked for the waiver cannot approve it"),
    )  # fmt: skip


def test_what_is_owed_already_is_not_approved_again(office: Office) -> None:
    name = office.owed()
    refuses(office, RecoveryConflictError, approve, name, "经办丙", WHY)


@pytest.mark.parametrize("reason", ["", "短", "   三字写 ", "长" * 501])
def test_without_a_reason_nobody_decides(office: Office, reason: str) -> None:
    name = office.has()
    for act in (approve, dismiss):
        refuses(office, RecoveryError, act, name, "经办甲", reason)
    refuses(office, RecoveryError, ask_waiver, name, "经办甲", reason)
    refuses(office, RecoveryError, plan, name, 2, TODAY, by="甲", reason=reason)


def test_nothing_becomes_owed_while_payments_of_the_claim_are_under_way(office: Office) -> None:
    name = office.has()
    approve(office.deps, name, "经办甲", WHY)
    office.points.clear()
    office.claim = replace(office.claim, state=ClaimState.SUPPLEMENTING)
    refuses(
        office, RecoveryConflictError, approve, name, "经办乙", WHY,
        says=(
            "这笔申请还有款项在途，付完再批准", "the claim's payments are not all done: wait",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "stands"),
    [
        (LayerAmounts(4_000, 2_000), True), (LayerAmounts(4_001), False),
        (LayerAmounts(0, 2_001), False), (LayerAmounts(1, 2_000), True),
    ],
)  # fmt: skip
def test_no_layer_is_asked_for_more_than_it_bears_by_now(
    office: Office, layers: LayerAmounts, stands: bool
) -> None:
    name = office.has(layers=layers)
    approve(office.deps, name, "经办甲", WHY)
    office.points.clear()
    if stands:
        assert approve(office.deps, name, "经办乙", WHY).left_fen == layers.total_fen
        return
    refuses(
        office, RecoveryConflictError, approve, name, "经办乙", WHY,
        says=(
            "基金现在承担的已经少于这笔追款；请驳回，需要时重新提出",
            "the fund bears less of the claim than this by now: dismiss it",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("later", [0, 1])
def test_a_proposal_that_a_newer_decision_has_overtaken_is_not_approved(
    office: Office, later: int
) -> None:
    name = office.has()
    approve(office.deps, name, "经办甲", WHY)
    office.points.clear()
    office.decided_at = NOW + dt.timedelta(seconds=later)
    if not later:
        assert approve(office.deps, name, "经办乙", WHY).state is State.OPEN
        return
    refuses(
        office, RecoveryConflictError, approve, name, "经办乙", WHY,
        says=(
            "提出以后又有新的核定；请驳回，需要时重新提出",
            "the claim has a newer decision than this: dismiss it",
        ),
    )  # fmt: skip


def test_one_person_may_decide_against_it(office: Office) -> None:
    name = office.has()
    found = dismiss(office.deps, name, "经办甲", f" {WHY} ")
    assert (found.state, office.dismissals) == (
        State.DISMISSED, [Dismissal(name, "经办甲", WHY, NOW)],
    )  # fmt: skip
    assert office.kinds == [] and office.alarms == {} and office.commits == 1
    refuses(
        office, RecoveryConflictError, dismiss, name, "经办乙", WHY,
        says=(
            "这笔追款现在是 dismissed，不能驳回；不再追的请豁免",
            "the recovery is dismissed: what is owed is waived by two people",
        ),
    )  # fmt: skip


def test_nobody_of_an_institution_acts_on_what_it_owes(office: Office) -> None:
    name = office.has(OF_H1)
    office.points.clear()
    for act, asked in (
        (approve, ("H1 的人", WHY)), (dismiss, ("H1 的人", WHY)), (ask_waiver, ("H1 的人", WHY)),
        (approve_waiver, ("H1 的人",)),
    ):  # fmt: skip
        refuses(office, ForbiddenError, act, name, *asked)
    refuses(office, ForbiddenError, plan, name, 2, TODAY, by="H1 的人", reason=WHY)
    refuses(office, ForbiddenError, receive, Incoming("B-1", name, 1, TODAY), by="H1 的人")
    of_person = office.has()
    assert len(approve(office.deps, of_person, "H1 的人", WHY).approvals) == 1


# --- parts ----------------------------------------------------------------------------------------


def test_what_is_left_is_divided_into_months_to_the_fen(office: Office) -> None:
    name = office.owed(LayerAmounts(1_000))
    made = plan(office.deps, name, 3, dt.date(2026, 11, 30), by="经办甲", reason=f" {WHY}")
    days = (dt.date(2026, 11, 30), dt.date(2026, 12, 30), dt.date(2027, 1, 30))
    # 10.00 in three: 3.34, 3.33, 3.33.
    assert made.instalments == tuple(
        Instalment(name, 1, place, day, fen, "经办甲", WHY, NOW)
        for place, (day, fen) in enumerate(zip(days, (334, 333, 333), strict=True), start=1)
    )
    commits = office.commits
    same = plan(office.deps, name, 3, dt.date(2026, 11, 30), by="经办甲", reason=WHY)
    assert same == made and office.commits == commits, "said again it is no other one"
    other = plan(office.deps, name, 2, TODAY, by="经办甲", reason=WHY)
    assert [(one.plan, one.amount_fen) for one in other.plan] == [(2, 500), (2, 500)]
    assert office.commits == commits + 1
    by_another = plan(office.deps, name, 2, TODAY, by="经办乙", reason=WHY)
    assert by_another.plan[0].plan == 3


def test_a_part_is_not_due_in_the_past_and_only_what_is_owed_is_divided(office: Office) -> None:
    name = office.has()
    refuses(
        office, RecoveryConflictError, plan, name, 2, TODAY, by="甲", reason=WHY,
        says=(
            "这笔追款现在是 proposed，不能分期",
            "the recovery is proposed: there is nothing to divide",
        ),
    )  # fmt: skip
    for by in ("甲", "乙"):
        approve(office.deps, name, by, WHY)
    office.points.clear()
    refuses(
        office, RecoveryError, plan, name, 2, TODAY - dt.timedelta(days=1), by="甲", reason=WHY,
        says=("首期不能在今天以前", "the first part is not due before today"),
    )  # fmt: skip


# --- money that comes in --------------------------------------------------------------------------


def test_money_is_taken_down_booked_and_told_to_a_simulated_bank(office: Office) -> None:
    name = office.owed()
    assert receive(office.deps, Incoming(" B-1 ", name, 600, TODAY), by=" 出纳 ") is True
    found = office.orders[name]
    assert found.receipts == (Receipt("B-1", name, 600, TODAY, "clerk", True, "出纳", NOW),)
    assert (found.state, found.left_fen) == (State.PARTLY, 900)
    assert office.kinds == ["recovery-opened", "recovered"]
    entry = list(office.books.stored.values())[-1]
    assert entry.transfers[0].amount_fen == 600 and entry.occasion.recorded_by == "出纳"
    assert office.paid_in == [("3308000000000001", "B-1", 600)]
    assert office.points == ["recovery.received"] and office.sent == []
    # The same line of the bank again.
    assert receive(office.deps, Incoming("B-1", name, 600, TODAY), by="出纳") is False
    assert len(office.orders[name].receipts) == 1 and len(office.paid_in) == 1


@pytest.mark.parametrize(
    "other", [{"amount_fen": 601}, {"received_on": TODAY - dt.timedelta(days=1)}]
)
def test_one_reference_stands_for_one_sum(office: Office, other: dict[str, Any]) -> None:
    name = office.owed()
    money = Incoming("B-1", name, 600, TODAY)
    receive(office.deps, money, by="出纳")
    office.points.clear()
    refuses(
        office, RecoveryConflictError, receive, replace(money, **other), by="出纳",
        says=(
            "银行流水号 B-1 已登记过，内容不同：没有再记。原来登记错的，先用 yichu recovery "
            "take-back 撤回（两个人），再登记对的",
            "the bank's reference B-1 stands for other money: nothing was stored. If that is "
            "wrong, take it back (`yichu recovery take-back`, two people) and store the right",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("money", "error"),
    [
        (("", 600, TODAY), RecoveryError), (("B" * 61, 600, TODAY), RecoveryError),
        (("B-1", 0, TODAY), RecoveryError),
        (("B-1", 600, TODAY + dt.timedelta(days=1)), RecoveryError),
        (("B-1", 1_501, TODAY), RecoveryConflictError),
    ],
)  # fmt: skip
def test_what_cannot_be_this_orders_money_is_refused(
    office: Office, money: tuple[str, int, dt.date], error: type[Exception]
) -> None:
    name = office.owed()
    refuses(office, error, receive, Incoming(money[0], name, *money[1:]), by="出纳")


def test_the_last_money_closes_the_order_on_the_ledger_and_says_so(office: Office) -> None:
    name = office.owed()
    receive(office.deps, Incoming("B-1", name, 1_500, TODAY), by="出纳")
    assert office.orders[name].state is State.RECOVERED
    [intent] = office.sent
    assert (intent.dedupe_key, intent.payload["amount"]) == (f"recover:{name}", 1_500)
    assert (office.notices[-1].person_id, office.notices[-1].kind) == ("per_1", "recovery")
    assert office.notices[-1].zh == f"退款 {name} 已经退清，您不用再做什么。"
    assert office.notices[-1].en == (
        f"What you owed under {name} is paid back in full: there is nothing more to do."
    )


HEAD = "reference,order,yuan,received_on"


def test_a_file_of_the_bank_is_taken_down_row_by_row_once(office: Office) -> None:
    first, second = office.owed(), office.has(OF_H1)
    commits = office.commits
    rows = f"{HEAD}\nB-1,{first},6.00,2026-11-19\nB-2,{second},15.00,2026-11-20".encode()
    assert take_in_receipts(office.deps, rows, by="出纳") == (2, 0)
    assert office.orders[first].receipts == (
        Receipt("B-1", first, 600, dt.date(2026, 11, 19), "file", True, "出纳", NOW),
    )
    assert office.orders[second].state is State.RECOVERED
    assert office.commits == commits + 1 and office.points == ["recovery.received"]
    more = rows + f"\nB-3,{first},1.00,2026-11-20".encode()
    assert take_in_receipts(office.deps, more, by="出纳") == (1, 2)


def test_every_fault_of_a_file_is_named_by_its_line_and_nothing_is_committed(
    office: Office,
) -> None:
    name = office.owed()
    commits = office.commits
    rows = f"{HEAD}\nB-1,{name},16.00,2026-11-20\nB-2,{name},1.00,2026-11-20\n"
    rows += f"B-3,{name},1.00,2026-11-21"
    with pytest.raises(ReceiptFileError) as caught:
        take_in_receipts(office.deps, rows.encode(), by="出纳")
    assert caught.value.faults == (
        "line 2: 1500 fen are left, not 1600: give back what is too much",
        "line 4: money does not come in after today",
    )
    assert office.commits == commits and office.points == []


# --- giving up ------------------------------------------------------------------------------------


def test_what_is_left_is_given_up_by_two_and_the_layers_bear_it(office: Office) -> None:
    name = office.owed()
    receive(office.deps, Incoming("B-1", name, 600, TODAY), by="出纳")
    asked = ask_waiver(office.deps, name, "经办甲", " 家庭困难 ")
    assert asked == WaiverRequest(name, 1, "经办甲", "家庭困难", NOW)
    assert office.alarms[("recovery-waiver-asked", name)] == "900 fen"
    commits = office.commits
    assert ask_waiver(office.deps, name, "经办甲", "家庭困难") == asked
    assert office.requests == [asked] and office.commits == commits
    office.points.clear()
    found = approve_waiver(office.deps, name, "经办乙")
    assert found.waiver == Waiver(name, 900, "经办甲", "经办乙", "家庭困难", NOW)
    assert (found.state, found.left_fen, office.answered) == (State.WAIVED, 0, [1])
    entry = list(office.books.stored.values())[-1]
    # 9.00 of 10.00 and 5.00, in proportion.
    assert [one.amount_fen for one in entry.transfers] == [600, 300]
    assert office.kinds[-1] == "recovery-waived" and entry.occasion.recorded_by == "经办乙"
    assert entry.occasion.source_id == name
    assert ("recovery-waiver-asked", name) not in office.alarms
    assert office.points == ["recovery.waived"]
    assert office.sent[-1].payload["amount"] == 600, "the ledger hears what came back"
    assert office.notices[-1].zh == f"退款 {name} 余款不再要求退回，您不用再做什么。"


def test_another_reason_or_person_is_another_request_and_the_newest_counts(office: Office) -> None:
    name = office.owed()
    for by, why in (("经办甲", "家庭困难"), ("经办甲", "已经去世"), ("经办乙", "已经去世")):
        ask_waiver(office.deps, name, by, why)
    assert [(one.ordinal, one.by, one.reason) for one in office.requests] == [
        (1, "经办甲", "家庭困难"), (2, "经办甲", "已经去世"), (3, "经办乙", "已经去世"),
    ]  # fmt: skip
    found = approve_waiver(office.deps, name, "经办甲")
    assert found.waiver is not None and found.waiver.proposed_by == "经办乙"
    assert office.answered == [3]


def test_nothing_is_given_up_that_nobody_asked_for_or_nobody_owes(office: Office) -> None:
    name = office.has()
    nothing = (
        "这笔追款现在是 proposed，没有可豁免的",
        "the recovery is proposed: there is nothing to waive",
    )
    refuses(office, RecoveryConflictError, ask_waiver, name, "甲", WHY, says=nothing)
    refuses(office, RecoveryConflictError, approve_waiver, name, "甲", says=nothing)
    for by in ("甲", "乙"):
        approve(office.deps, name, by, WHY)
    office.points.clear()
    refuses(
        office, RecoveryConflictError, approve_waiver, name, "甲",
        says=("还没有人提出豁免", "nobody has asked for a waiver of this recovery"),
    )  # fmt: skip


def test_of_a_finding_that_was_set_aside_a_waiver_is_asked_in_that_persons_name(
    office: Office,
) -> None:
    name = office.has(OF_H1)
    assert ask_waiver_of_set_aside(office.deps, name, "稽核乙", "申" * 600) is True
    [asked] = office.requests
    assert (asked.by, asked.reason) == ("稽核乙", "认定已撤销：" + "申" * 494)
    receive(office.deps, Incoming("B-1", name, 1_500, TODAY), by="出纳")
    assert ask_waiver_of_set_aside(office.deps, name, "稽核乙", "申诉成立") is False
    assert len(office.requests) == 1


# --- what a citizen sees --------------------------------------------------------------------------


def test_a_citizen_sees_their_own_debts_and_nothing_undecided(office: Office) -> None:
    dismissed = office.has(Ground(Cause.CLEARING, "cli_1", "清算"))
    dismiss(office.deps, dismissed, "甲", WHY)
    office.has(OF_H1)
    lower, void = office.has(), office.has(Ground(Cause.VOID, "inv_1", "作废"))
    with office as work:
        assert [one.order.id for one in owed_by_citizen(work, office.claim)] == [void]
        for by in ("甲", "乙"):
            approve(office.deps, lower, by, WHY)
        assert [one.order.id for one in owed_by_citizen(work, office.claim)] == [lower, void]
