"""What people do with payments: who may stop one, who may let it go, and what is kept of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.two_people import SamePersonError
from backend.service_layer.claims.case_closing import confirm_closing
from backend.service_layer.claims.records import Claim
from backend.service_layer.payout.manual import (
    acknowledge,
    confirm_acknowledged,
    hold,
    read_content,
    release,
    release_proposed,
)
from backend.service_layer.payout.records import Verdict
from backend.service_layer.payout.stored import BankMessage, Hold, Reading
from tests.unit.payout.payables import CLAIM, NOW

MESSAGE = BankMessage(
    "bmg_1", "R1.xml", b"digest", b"wrapped", NOW, None, None, None, None, Verdict.REFUSED, "odd"
)
CASE = "bank-file:bmg_1"
WORDS_ZH = "要写明经办人（最多 60 字）和理由（最多 500 字）"
WORDS_EN = "say who (at most 60 characters) and why (at most 500)"


@dataclass
class Desk:
    """One claim and one bank file; what is written counts when it is committed."""

    claim: Claim = CLAIM
    message: BankMessage | None = MESSAGE
    open_attempts: tuple[bool, ...] = ()
    holds: list[Hold] = field(default_factory=list)
    updates: list[tuple[Any, ...]] = field(default_factory=list)
    cleared: list[tuple[str, str]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    case: Any = None
    events: list[Any] = field(default_factory=list)
    commits: int = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=lambda: self,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_9"),
            secret_box=SimpleNamespace(unwrap=lambda wrapped, name: wrapped + name.encode()),
        )

    @property
    def claims(self) -> Any:
        def get(claim_id: str, *, lock: bool) -> Claim:
            assert claim_id == "clm_1" and lock, "it is decided under the claim's lock"
            return self.claim

        def by_number(number: str) -> Claim:
            if number != "C1":
                raise NotFoundError("没有这个受理号", "there is no claim of that number")
            return self.claim

        def update(*values: Any, waiting_for: str) -> None:
            self.updates.append((*values, waiting_for))

        return SimpleNamespace(get=get, by_number=by_number, update=update)

    @property
    def payments(self) -> Any:
        def found(subject: str, expected: str, values: list[Any]) -> list[Any]:
            assert subject == expected
            return values

        tried = [SimpleNamespace(is_open=one) for one in self.open_attempts]
        return SimpleNamespace(
            last_hold=lambda claim: (found(claim, "clm_1", self.holds) or [None])[-1],
            holds_of=lambda claim: found(claim, "clm_1", self.holds),
            add_hold=self.holds.append,
            payables_of=lambda claim: found(claim, "clm_1", [SimpleNamespace(id="pay_1")]),
            tried=lambda payable: found(payable, "pay_1", tried),
            message_by_id=lambda name: self.message if name == "bmg_1" else None,
            add_reading=self.readings.append,
        )

    @property
    def staff(self) -> Any:
        return SimpleNamespace(all=lambda: [])

    @property
    def alarms(self) -> Any:
        return SimpleNamespace(
            clear=lambda *alarm: self.cleared.append(alarm), open_counts=lambda: {}
        )

    @property
    def reconciliation(self) -> Any:
        def put_case(name: str, kind: str, detail: dict[str, Any]) -> None:
            if self.case is None:
                self.case = SimpleNamespace(id=name, kind=kind, detail=detail, resolved_at=None)

        def add_event(case: str, kind: str, **said: Any) -> None:
            assert case == CASE
            ordinal = len(self.events) + 1
            self.events.append(SimpleNamespace(kind=kind, ordinal=ordinal, **said))

        def end_case(case: str, by: str, words: str) -> None:
            assert case == CASE
            self.case = SimpleNamespace(**vars(self.case) | {"resolved_at": NOW})
            self.ended = (by, words)

        return SimpleNamespace(
            case=lambda name: self.case if name == CASE else None,
            lock_open=lambda name: name == CASE and self.case and not self.case.resolved_at,
            put_case=put_case,
            add_event=add_event,
            events_of=lambda name: self.events if name == CASE else [],
            end_case=end_case,
        )

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1


def stopped_by(name: str, ordinal: int = 1, action: str = "hold") -> Hold:
    return Hold("clm_1", ordinal, action, name, "与本人核对账户", NOW - dt.timedelta(days=1))


# --- stopping and letting go ----------------------------------------------------------------------


def test_a_payment_is_stopped_with_a_name_and_a_reason_and_its_claim_says_so() -> None:
    desk = Desk()
    hold(desk.deps, "C1", " 经办甲 ", "与本人核对账户")
    assert desk.holds == [Hold("clm_1", 1, "hold", "经办甲", "与本人核对账户", NOW)]
    assert desk.updates == [("clm_1", ClaimState.PAYING, NOW, "payout-stopped")]
    assert desk.cleared == [("payout-unwritable", "clm_1")] and desk.commits == 1


def test_another_person_lets_it_go_with_the_next_run() -> None:
    desk = Desk(holds=[stopped_by("经办甲", 3)])
    release(desk.deps, "C1", "经办乙", "账户已核对")
    assert desk.holds[1:] == [Hold("clm_1", 4, "release", "经办乙", "账户已核对", NOW)]
    assert desk.updates == [("clm_1", ClaimState.PAYING, NOW, "payout-run")]
    assert desk.commits == 1


@pytest.mark.parametrize("name", ["经办甲", " 经办甲"])
def test_whoever_stopped_a_payment_never_lets_it_go(name: str) -> None:
    desk = Desk(holds=[stopped_by("经办甲")])
    with pytest.raises(SamePersonError, match="another person does this: 经办甲 did the step"):
        release(desk.deps, "C1", name, "账户已核对")
    assert len(desk.holds) == 1 and desk.updates == [] and desk.commits == 0


@pytest.mark.parametrize("holds", [[], [stopped_by("经办甲", action="release")]])
def test_what_is_not_stopped_is_not_let_go_and_the_way_to_one_more_attempt_is_told(
    holds: list[Hold],
) -> None:
    desk = Desk(holds=list(holds))
    with pytest.raises(ConflictError) as caught:
        release(desk.deps, "C1", "经办乙", "账户已核对")
    assert caught.value.zh == (
        "这笔打款没有暂停。要再付一次：先由一个人暂停并写明理由，再由另一个人恢复"
    )
    assert caught.value.en == (
        "nothing is stopped. To have it tried once more one person stops it and says why, and "
        "another one releases it"
    )
    assert desk.holds == holds and desk.commits == 0


def test_what_is_stopped_is_not_stopped_again() -> None:
    desk = Desk(holds=[stopped_by("经办甲")])
    with pytest.raises(ConflictError, match="its payments are stopped already") as caught:
        hold(desk.deps, "C1", "经办乙", "也要核对")
    assert caught.value.zh == "这笔打款已经暂停"
    assert len(desk.holds) == 1 and desk.commits == 0


def test_what_was_let_go_can_be_stopped_by_anybody_again() -> None:
    desk = Desk(holds=[stopped_by("经办甲"), stopped_by("经办乙", 2, "release")])
    hold(desk.deps, "C1", "经办乙", "又有疑问")
    assert (desk.holds[-1].ordinal, desk.holds[-1].action) == (3, "hold")


@pytest.mark.parametrize("attempts", [(True,), (False, True)])
def test_while_an_instruction_is_at_the_bank_the_claim_does_not_say_that_it_is_stopped(
    attempts: tuple[bool, ...],
) -> None:
    desk = Desk(open_attempts=attempts)
    hold(desk.deps, "C1", "经办甲", "核对")
    assert len(desk.holds) == 1 and desk.updates == [] and desk.commits == 1


def test_after_what_the_bank_has_answered_the_claim_says_that_it_is_stopped() -> None:
    desk = Desk(open_attempts=(False,))
    hold(desk.deps, "C1", "经办甲", "核对")
    assert [one[-1] for one in desk.updates] == ["payout-stopped"]


def test_a_claim_that_is_not_being_paid_yet_is_stopped_without_another_word_on_it() -> None:
    desk = Desk(claim=replace(CLAIM, state=ClaimState.SETTLED))
    hold(desk.deps, "C1", "经办甲", "核对")
    assert len(desk.holds) == 1 and desk.updates == [] and desk.commits == 1


def test_an_unknown_claim_is_no_claim() -> None:
    desk = Desk()
    with pytest.raises(NotFoundError, match="there is no claim of that number"):
        hold(desk.deps, "C2", "经办甲", "核对")
    assert desk.holds == []


# --- names and reasons ----------------------------------------------------------------------------

ACTS: tuple[Callable[[Any, str, str], Any], ...] = (
    lambda deps, by, why: hold(deps, "C1", by, why),
    lambda deps, by, why: release(deps, "C1", by, why),
    lambda deps, by, why: read_content(deps, "bmg_1", by, why),
    lambda deps, by, why: acknowledge(deps, "bmg_1", by, why),
    lambda deps, by, why: confirm_acknowledged(deps, "bmg_1", by, why),
)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("by", "why"), [("", "核对"), (" ", "核对"), ("经办甲", ""), ("经办甲", " "),
                    ("甲" * 61, "核对"), ("经办甲", "因" * 501)],
)  # fmt: skip
def test_without_a_name_and_a_reason_of_fitting_length_nothing_is_done(
    act: Callable[[Any, str, str], Any], by: str, why: str
) -> None:
    desk = Desk(holds=[stopped_by("经办乙")])
    with pytest.raises(DomainError) as caught:
        act(desk.deps, by, why)
    assert (caught.value.code, caught.value.zh, caught.value.en) == (
        "words-missing", WORDS_ZH, WORDS_EN,
    )  # fmt: skip
    assert desk.commits == 0 and len(desk.holds) == 1 and not desk.readings and not desk.events


def test_the_longest_name_and_reason_and_the_shortest_are_taken() -> None:
    for by, why in (("甲" * 60, "因" * 500), ("甲", "因")):
        desk = Desk()
        hold(desk.deps, "C1", by, why)
        assert (desk.holds[0].by, desk.holds[0].reason) == (by, why)


# --- bank files -----------------------------------------------------------------------------------


def test_who_reads_a_bank_file_and_why_is_kept_before_it_is_shown() -> None:
    desk = Desk()
    assert read_content(desk.deps, "bmg_1", " 经办甲 ", " 查退款 ") == b"wrappedbmg_1"
    assert desk.readings == [Reading("brd_9", "bmg_1", "经办甲", "查退款", NOW)]
    assert desk.commits == 1


@pytest.mark.parametrize("act", ACTS[2:4])
def test_an_unknown_bank_file_is_neither_read_nor_noted(
    act: Callable[[Any, str, str], Any],
) -> None:
    desk = Desk(message=None)
    with pytest.raises(NotFoundError, match=r"there is no such bank file$") as caught:
        act(desk.deps, "经办甲", "查退款")
    assert caught.value.zh == "没有这个银行文件"
    assert desk.readings == [] and desk.events == [] and desk.commits == 0


def test_one_person_notes_a_refused_file_and_another_one_closes_its_alarms() -> None:
    desk = Desk()
    acknowledge(desk.deps, "bmg_1", " 经办甲 ", " 银行已重发 ")
    (proposed,) = desk.events
    assert (proposed.kind, proposed.by, proposed.text, str(proposed.outcome)) == (
        "proposed", "经办甲", "银行已重发", "accepted",
    )  # fmt: skip
    assert (desk.case.id, desk.case.kind, desk.case.detail) == (
        CASE, "bank-file", {"name": "R1.xml"},
    )  # fmt: skip
    assert desk.cleared == [], "its alarm stays until another person confirms"
    with pytest.raises(SamePersonError):
        confirm_acknowledged(desk.deps, "bmg_1", "经办甲", "是")
    assert desk.cleared == [] and desk.commits == 1
    confirm_acknowledged(desk.deps, "bmg_1", "经办乙", "已看到重发的文件")
    assert desk.events[-1].kind == "confirmed" and desk.events[-1].answers == 1
    assert {("bank-file-refused", "bmg_1"), ("bank-file-repeated", "bmg_1")} <= set(desk.cleared)
    assert desk.case.resolved_at == NOW and desk.commits == 2
    assert desk.ended == ("经办乙", "经办甲: 银行已重发\n经办乙: 已看到重发的文件")
    for act in (acknowledge, confirm_acknowledged):
        with pytest.raises(ConflictError, match=r"the file was dealt with already$") as caught:
            act(desk.deps, "bmg_1", "经办丙", "再来")
        assert caught.value.zh == "这个文件已处理过"


@pytest.mark.parametrize("verdict", [Verdict.BOOKED, Verdict.FILED])
def test_a_file_that_was_booked_needs_nobody(verdict: Verdict) -> None:
    desk = Desk(message=replace(MESSAGE, verdict=verdict))
    with pytest.raises(ConflictError, match=r"the file was booked: nothing to do$") as caught:
        acknowledge(desk.deps, "bmg_1", "经办甲", "看过")
    assert caught.value.zh == "这个文件已入账，不用处理"
    assert desk.case is None and desk.commits == 0


def test_a_repeated_file_is_noted_like_a_refused_one() -> None:
    desk = Desk(message=replace(MESSAGE, verdict=Verdict.REPEATED))
    acknowledge(desk.deps, "bmg_1", "经办甲", "看过")
    assert len(desk.events) == 1


def test_what_nobody_has_noted_cannot_be_confirmed() -> None:
    desk = Desk()
    with pytest.raises(ConflictError) as caught:
        confirm_acknowledged(desk.deps, "bmg_1", "经办乙", "是")
    assert caught.value.zh == "还没有人说处理过这个文件：先由一个人登记，再由另一个人确认"
    assert caught.value.en == (
        "nobody has dealt with the file yet: one person says so, another confirms"
    )
    assert desk.cleared == [] and desk.commits == 0


def test_a_bank_file_that_is_closed_among_the_cases_closes_its_alarm_in_the_same_commit() -> None:
    """``yichu reconcile --confirm bank-file:ID``: the case was closed and the alarm stayed."""
    desk = Desk()
    acknowledge(desk.deps, "bmg_1", "出纳甲", "银行重发")
    assert confirm_closing(desk.deps, CASE, "会计乙", "已核对") == "closed"
    assert ("bank-file-refused", "bmg_1") in desk.cleared
    assert ("bank-file-repeated", "bmg_1") in desk.cleared and desk.commits == 2


def test_a_release_at_the_desk_takes_a_proposal_that_is_newer_than_the_stop() -> None:
    for holds in ([stopped_by("出纳甲")], [stopped_by("出纳甲"), stopped_by("甲", 2, "release"),
                                          stopped_by("丙", 3)]):  # fmt: skip
        desk = Desk(holds=list(holds))
        with pytest.raises(ConflictError, match="nobody has proposed to release it"):
            release_proposed(desk.deps, "C1", "会计乙", "已核对")
        assert desk.holds == holds and desk.commits == 0
    proposed = Desk(holds=[stopped_by("出纳甲"), stopped_by("出纳丙", 2)])
    with pytest.raises(SamePersonError, match="another person does this"):
        release_proposed(proposed.deps, "C1", "出纳丙", "已核对")
    release_proposed(proposed.deps, "C1", "会计乙", "已核对")
    assert [one.action for one in proposed.holds] == ["hold", "hold", "release"]
