"""Two people decide whether a clearing's lower amount is asked back."""

from __future__ import annotations

from backend.domain.clearing import ClearingConflictError, Finding
from backend.domain.errors import NotFoundError
from backend.domain.recovery import Cause, Recovery
from backend.service_layer.clearing.ports import ClearingServices, ClearingWork
from backend.service_layer.clearing.records import CLEARED, PROPOSED, Item
from backend.service_layer.clearing.year import work_out
from backend.service_layer.recovery.people import approve, dismiss
from backend.service_layer.supervision.leads import person_of


def confirm(deps: ClearingServices, item_id: str, by: str, reason: str) -> Recovery:
    """One of two people says that a lower amount stands; with the second it is owed.

    The year is worked out again first: nothing is confirmed on facts that have changed. Raises
    NotFoundError, :class:`ClearingConflictError`, and what ``recovery.people.approve`` raises
    (the same person twice, an order that is over, money on its way).
    """
    with deps.work(write=False) as work:
        item = _proposed(work, item_id)
        _require_other_hospital(work, item, by)
        _require_still_so(deps, work, item)
        order = _order_of(work, item)
    return approve(deps, order, by, reason)


def decline(deps: ClearingServices, item_id: str, by: str, reason: str) -> Recovery:
    """Decide against it: nothing is owed, and this amount is not proposed again."""
    with deps.work(write=False) as work:
        item = _proposed(work, item_id)
        _require_other_hospital(work, item, by)
        order = _order_of(work, item)
    return dismiss(deps, order, by, reason)


def _proposed(work: ClearingWork, item_id: str) -> Item:
    item = work.clearings.get_item(item_id[:40])
    if item is None:
        raise NotFoundError("没有这一项清算差额", "there is no such difference")
    if item.outcome != PROPOSED:
        raise ClearingConflictError(
            f"这一项是 {item.finding}（{item.outcome}），没有要追回的金额",
            f"this difference is {item.finding} ({item.outcome}): there is nothing to ask back",
        )
    return item


def _require_other_hospital(work: ClearingWork, item: Item, by: str) -> None:
    """Nobody decides on a claim on their own hospital's bill."""
    bill = work.claims.bill_of_version(work.claims.get(item.claim_id).version_id)
    person_of(work, by, bill.institution_code)


def _order_of(work: ClearingWork, item: Item) -> str:
    found = work.recoveries.of_source(Cause.CLEARING, item.id)
    assert len(found) == 1, "a proposal was stored with its order"
    return found[0].order.id


def _require_still_so(deps: ClearingServices, work: ClearingWork, item: Item) -> None:
    found = work_out(deps, work, item.person_id, item.year)
    if found.outcome != CLEARED or found.year is None:
        raise ClearingConflictError(
            f"这个人的年度现在不能清算（{found.detail}）：等办结后重新运行清算",
            f"the person's year cannot be cleared now ({found.detail}): run the clearing again "
            "when that is done",
        )
    now = [one for one in found.year.claims if one.claim.number == item.claim_number]
    is_same = bool(now) and (now[0].finding, now[0].before_fen, now[0].after_fen) == (
        Finding.LESS,
        item.before_fen,
        item.after_fen,
    )
    if not is_same:
        raise ClearingConflictError(
            "提出以后情况有变化，金额已不同：请重新运行清算",
            "the amount is not what was proposed any more: run the clearing again",
        )
