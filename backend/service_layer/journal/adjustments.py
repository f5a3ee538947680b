"""The correcting entry (凭证更正, 红字冲销): one person proposes it, another one confirms.

Nothing stored is changed: a deposit that was typed wrongly is mirrored, and what the bank did for
no claim is booked as its statement says. Whatever is corrected is corrected once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from backend.domain import journal
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.journal import (
    TEXT_MAX,
    AccountKind,
    Entry,
    EventKind,
    Fund,
    JournalError,
    Layer,
    Occasion,
)
from backend.domain.money import format_yuan
from backend.domain.two_people import signature
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.claims.ports import ClaimSettings
from backend.service_layer.journal.booking import book
from backend.service_layer.journal.deposits import bookings_of, place_of, standing
from backend.service_layer.journal.records import Adjustment, AdjustmentAnswer
from backend.service_layer.ports import Clock

SOURCE: Final = "adjustment"
CONFIRMED: Final = "confirmed"
REFUSED: Final = "refused"
CREDIT, DEBIT = "credit", "debit"
NAME_MAX: Final = 60
REASON_MAX: Final = 500

KINDS: Final = (
    EventKind.DEPOSIT_REVERSED,
    EventKind.BANK_CHARGE,
    EventKind.BANK_INTEREST,
    EventKind.SUSPENSE,
    EventKind.SUSPENSE_CLEARED,
)


_Proposal = tuple[Adjustment, AdjustmentAnswer | None]


class AdjustmentServices(Protocol):
    @property
    def settings(self) -> ClaimSettings: ...
    @property
    def clock(self) -> Clock: ...
    def work(self, *, write: bool = True) -> Any: ...


class FundShortError(ConflictError):
    """The fund's money at the bank, less what is with the bank already, would be below zero."""

    code = "fund-short"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for. ``reference`` is by what the bank names the deposit or movement.
    ``side`` of a movement in suspense: ``credit``, it came; ``debit``, it left. ``layer`` and
    ``suspense`` (its number): for what is found out about money in suspense."""

    kind: EventKind
    region: str
    insurance_type: str
    amount_fen: int
    reference: str = ""
    side: str | None = None
    layer: Layer | None = None
    suspense: int | None = None


def propose(deps: AdjustmentServices, wanted: Wanted, *, by: str, reason: str) -> Adjustment:
    """One person proposes; nothing is booked. The same said again by the same person is one.

    Raises :class:`JournalError` for what could never be booked, NotFoundError for a deposit, a
    movement or a suspense that is not there, ConflictError for what is corrected or proposed
    already, :class:`FundShortError`, and NotAtWorkError for a name by which nobody acts.
    """
    _require_words(by, reason)
    with deps.work() as work:
        by = acting(work, by)
        work.journal.lock_months(wanted.region, to_close=True)
        drawn = replace(
            _draw(work, wanted), reason=reason.strip(), proposed_by=by,
            proposed_at=deps.clock.now(), number=work.adjustments.next_number(),
        )  # fmt: skip
        proposals: list[_Proposal] = work.adjustments.of_subject(drawn.subject)
        for known, answer in proposals:
            if answer is None:
                same = replace(drawn, number=known.number, proposed_at=known.proposed_at)
                if known == same:
                    return known
                raise ConflictError(
                    f"更正 {known.number} 已提出，等另一个人确认或退回",
                    f"adjustment {known.number} of it waits for another person",
                )
        _entry(deps, work, drawn, by)
        work.adjustments.add(drawn)
        work.commit()
    return drawn


def confirm(deps: AdjustmentServices, number: int, *, by: str, reason: str) -> Entry:
    """Another person confirms: the entry is booked in the same transaction. Everything that the
    proposal was checked for is checked again.

    Raises what :func:`propose` raises, SamePersonError, and PeriodClosedError.
    """
    _require_words(by, reason)
    with deps.work() as work:
        proposed = _waiting(work, number)
        by = acting(work, by)
        require_other_person(work, proposed.proposed_by, by)
        entry = _entry(deps, work, proposed, by)
        book(work, entry)
        work.adjustments.add_answer(
            AdjustmentAnswer(
                number, CONFIRMED, by, reason.strip(), deps.clock.now(),
                proposed.subject, entry.id,
            )
        )  # fmt: skip
        work.commit()
    return entry


def refuse(deps: AdjustmentServices, number: int, *, by: str, reason: str) -> None:
    """The proposal falls away; its own proposer may say so too. Nothing was booked."""
    _require_words(by, reason)
    with deps.work() as work:
        _waiting(work, number)
        work.adjustments.add_answer(
            AdjustmentAnswer(number, REFUSED, acting(work, by), reason.strip(), deps.clock.now())
        )
        work.commit()


def _require_words(by: str, reason: str) -> None:
    if not signature(by) or not reason.strip():
        raise JournalError("请写明经办人和理由", "give who acts and a reason")
    if len(by.strip()) > NAME_MAX or len(reason.strip()) > REASON_MAX:
        raise JournalError("经办人或理由过长", "the name or the reason is too long")


def _waiting(work: Any, number: int) -> Adjustment:
    proposed: Adjustment | None = work.adjustments.get(number)
    if proposed is None:
        raise NotFoundError(f"没有更正 {number}", f"there is no adjustment {number}")
    # Nobody else books for this region until we commit, so what is checked stays true.
    work.journal.lock_months(proposed.region, to_close=True)
    if work.adjustments.answer_of(number) is not None:
        raise ConflictError(
            f"更正 {number} 已经确认或退回", f"adjustment {number} is confirmed or refused already"
        )
    return proposed


def _draw(work: Any, wanted: Wanted) -> Adjustment:
    """The proposal without names: what it corrects is there, and is what the person says."""
    drawn = Adjustment(
        number=0, kind=str(wanted.kind), region=wanted.region,
        insurance_type=wanted.insurance_type, layer=None, amount_fen=wanted.amount_fen,
        reference=wanted.reference, side=None, statement_id=None, statement_ordinal=None,
        corrects=None, subject="", reason="", proposed_by="", proposed_at=None,  # type: ignore[arg-type]
    )  # fmt: skip
    if wanted.kind is EventKind.DEPOSIT_REVERSED:
        found = _deposit(work, wanted)
        return replace(drawn, corrects=found.id, subject=found.id)
    if wanted.kind is EventKind.SUSPENSE_CLEARED:
        return _draw_cleared(work, wanted, drawn)
    if wanted.kind not in KINDS:
        raise JournalError("没有这种更正", "there is no such adjustment")
    sides = {EventKind.BANK_CHARGE: DEBIT, EventKind.BANK_INTEREST: CREDIT}
    side = sides.get(wanted.kind, wanted.side)
    if side not in (CREDIT, DEBIT) or wanted.side not in (None, side):
        raise JournalError("请写明收（credit）或付（debit）", "say credit (it came) or debit")
    there = _free_movement(work, replace(drawn, side=side))
    statement_id, _, ordinal = there.subject.rpartition(":")
    return replace(
        drawn, side=side, statement_id=statement_id, statement_ordinal=int(ordinal),
        subject=there.subject,
    )  # fmt: skip


def _deposit(work: Any, wanted: Wanted) -> Entry:
    """The deposit that is meant: of those of this fund the one that stands, of the layer that is
    named where several do."""
    booked = bookings_of(work, wanted.reference)
    if not booked:
        raise NotFoundError("没有这笔拨款", "no deposit is booked under this reference")
    stands = {place_of(one): one for one in standing(work, booked)}
    of_fund = {
        place[2]: one
        for place, one in stands.items()
        if place[:2] == (wanted.region, wanted.insurance_type)
    }
    if wanted.layer is not None and wanted.layer not in of_fund:
        raise NotFoundError(
            "这一层没有这笔拨款", "no deposit of this layer stands under this reference"
        )
    if wanted.layer is None and len(of_fund) > 1:
        raise JournalError(
            "这个回单号下有几层基金的拨款：请写明层次",
            "deposits of several layers stand under this reference: name the layer",
        )
    layer = wanted.layer or next(iter(of_fund), None)
    return booked[-1] if layer is None else of_fund[layer]


def _draw_cleared(work: Any, wanted: Wanted, drawn: Adjustment) -> Adjustment:
    number = wanted.suspense or 0
    held: Adjustment | None = work.adjustments.get(number)
    answer: AdjustmentAnswer | None = work.adjustments.answer_of(number)
    if held is None or answer is None or answer.entry_id is None or held.kind != EventKind.SUSPENSE:
        raise NotFoundError("没有这笔挂账", "there is no such money in suspense")
    if wanted.layer is None:
        raise JournalError("请写明归入哪一层基金", "name the layer that it becomes part of")
    return replace(
        drawn, layer=str(wanted.layer), reference=held.reference, corrects=answer.entry_id,
        subject=answer.entry_id,
    )  # fmt: skip


def _entry(deps: AdjustmentServices, work: Any, proposed: Adjustment, by: str) -> Entry:
    """The entry of a proposal, if it can be booked now."""
    done = work.adjustments.corrected_by(proposed.subject)
    if done is not None:
        raise ConflictError(
            f"已经由更正 {done} 更正过，只能一次", f"adjustment {done} has corrected it already"
        )
    name = work.claims.payer_name(deps.settings.payer_number)
    fund = Fund(proposed.region, proposed.insurance_type, proposed.region, name)
    occasion = Occasion(
        SOURCE, str(proposed.number), fund, None, deps.clock.now(), by.strip(),
        text=proposed.reason[:TEXT_MAX],
    )  # fmt: skip
    if proposed.corrects is not None:
        entry = _correction(work, proposed, occasion)
    else:
        there = _movement(work, proposed)
        occasion = replace(occasion, is_simulated=there.simulated)
        entry = journal.bank_moved(
            EventKind(proposed.kind), occasion, proposed.amount_fen, came=proposed.side == CREDIT
        )
    _require_money(work, entry)
    return entry


def _correction(work: Any, proposed: Adjustment, occasion: Occasion) -> Entry:
    original: Entry = work.journal.find([proposed.corrects])[proposed.corrects]
    fund = original.occasion.fund
    if (fund.region, fund.insurance_type) != (proposed.region, proposed.insurance_type):
        raise JournalError(
            f"原凭证属于 {fund.region} {fund.insurance_type}",
            f"the entry is in the books of {fund.region} {fund.insurance_type}",
        )
    if original.total_fen != proposed.amount_fen:
        raise JournalError(
            f"金额与原凭证不同：原凭证 {format_yuan(original.total_fen)} 元",
            f"another amount than the entry's, which is {format_yuan(original.total_fen)} yuan",
        )
    occasion = replace(occasion, fund=fund, is_simulated=original.occasion.is_simulated)
    if proposed.kind == EventKind.DEPOSIT_REVERSED:
        return journal.deposit_reversed(occasion, original)
    assert proposed.layer is not None, "asked before"
    return journal.suspense_cleared(occasion, original, Layer(proposed.layer))


def _free_movement(work: Any, proposed: Adjustment) -> Any:
    """The movement of the statement that nothing has corrected and nobody has proposed yet; the
    first one of several that are alike."""
    alike = _alike(work, proposed)
    for one in alike:
        if all(answer is not None and answer.action == REFUSED
               for _, answer in work.adjustments.of_subject(one.subject)):  # fmt: skip
            return one
    return alike[0]


def _movement(work: Any, proposed: Adjustment) -> Any:
    for one in _alike(work, proposed):
        if one.subject == proposed.subject:
            return one
    raise NotFoundError("对账单上没有这一笔", "no statement has this movement")


def _alike(work: Any, proposed: Adjustment) -> list[Any]:
    """Movements of a kept statement with this name and direction, of which the journal does not
    have as much as the bank: of this amount, or for suspense also larger ones, of which the rest
    belongs to somebody (a debtor has paid too much)."""
    key, side = proposed.reference, proposed.side
    there = [
        one for one in work.bank_statements.entries(proposed.region)
        if (one.key, one.side) == (key, side)
    ]  # fmt: skip
    if not there:
        raise NotFoundError(
            "银行对账单上没有这个编号、这个方向的收付，不能记账",
            "no statement of the bank has such a movement: nothing can be booked",
        )
    is_suspense = proposed.kind == EventKind.SUSPENSE
    alike = [one for one in there if one.amount_fen == proposed.amount_fen]
    if is_suspense:
        alike += [one for one in there if one.amount_fen > proposed.amount_fen]
    if not alike:
        amounts = ", ".join(format_yuan(one.amount_fen) for one in there)
        raise JournalError(
            f"金额与对账单不同：对账单 {amounts} 元",
            f"another amount than on the statement, which has {amounts} yuan",
        )
    booked = [
        one.amount_fen for one in work.bank_statements.movements(proposed.region)
        if (one.key, one.side) == (key, side)
    ]  # fmt: skip
    names_claim = any(one.claim_id for one in there)
    _require_nobodys(work, key, names_claim=names_claim, may_be=is_suspense, is_booked=bool(booked))
    left = sum(one.amount_fen for one in there) - sum(booked)
    if left <= 0:
        raise ConflictError("这一笔已经记账", "the movement is booked already")
    if left < proposed.amount_fen:
        raise ConflictError(
            f"这一笔只剩 {format_yuan(left)} 元没有记账",
            f"{format_yuan(left)} yuan of the movement are not booked yet",
        )
    return alike


def _require_nobodys(
    work: Any, key: str, *, names_claim: bool, may_be: bool, is_booked: bool
) -> None:
    """A payment for a claim is booked by the bank's answer: an adjustment would let the claim be
    paid again. In suspense goes what a restored backup has lost, once two people have closed its
    case, and what the bank has debited once more than it has answered."""
    case = work.reconciliation.case(f"bank-payment:{key}")
    if case is not None and case.resolved_at is None:
        raise ConflictError(
            f"{case.id} 还没有结案，可能还会找到申请：先由两个人结案",
            f"the case {case.id} is open, its claim may still be found: two people close it first",
        )
    is_lost = case is not None and not case.detail.get("matched")
    if (names_claim or is_lost) and not (may_be and (is_lost or is_booked)):
        raise JournalError(
            "这是本机构的支付指令：由银行的答复记账，不在这里更正",
            "it is an instruction of ours: the bank's answer books it, not an adjustment",
        )


def _require_money(work: Any, entry: Entry) -> None:
    fund = entry.occasion.fund
    bank = fund.account(AccountKind.BANK)
    leaves = sum(one.amount_fen for one in entry.transfers if one.credit == bank)
    if not leaves:
        return
    has = work.journal.balance(bank, None, fund.insurance_type)
    transit = fund.account(AccountKind.TRANSIT)
    under_way = work.journal.balance(transit, None, fund.insurance_type)
    if has - under_way < leaves:
        raise FundShortError(
            f"基金在银行只有 {format_yuan(has)} 元，其中 {format_yuan(under_way)} 元已交银行支付",
            f"the fund has {format_yuan(has)} yuan at the bank, of which "
            f"{format_yuan(under_way)} are with the bank to be paid",
        )
