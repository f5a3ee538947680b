"""What people at a desk see of clearings: a trial in pages, a run's progress, what waits for them.

Nobody sees what is asked back on a bill of their own hospital, and so nobody decides on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.domain.clearing import require_year
from backend.domain.errors import NotFoundError
from backend.domain.recovery import Cause, Recovery, State
from backend.service_layer.clearing.ports import ClearingServices, ClearingWork
from backend.service_layer.clearing.records import PROPOSED, Item, Run
from backend.service_layer.clearing.run import Figures, Found, people_of_year, try_person

PEOPLE_MAX: Final = 50
"""People worked out in one call of a trial."""

PAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class TrialPage:
    """``after`` is where the next page begins; None at the end."""

    found: list[Found]
    figures: Figures
    after: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """``people`` is (people, claims) by what became of them, ``sums`` (differences, fen with sign)
    by finding; ``left`` names claims of people who wait for a later run."""

    run: Run
    people: dict[str, tuple[int, int]]
    sums: dict[str, tuple[int, int]]
    left: list[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A difference, with the order that it proposes if it asks money back."""

    item: Item
    order: Recovery | None

    @property
    def waits(self) -> bool:
        """Whether people have still to decide on it."""
        return self.order is not None and self.order.state is State.PROPOSED


def try_page(deps: ClearingServices, year: int, after: str, people: int) -> TrialPage:
    """Work out some people of a year, beyond ``after``; writes nothing.

    Raises :class:`ClearingError` for a year that is none.
    """
    require_year(year, deps.clock.now(), may_be_open=True)
    found: list[Found] = []
    figures, last = Figures(), None
    for count, person_id in enumerate(people_of_year(deps, year, after)):
        if count == min(people, PEOPLE_MAX):
            return TrialPage(found, figures, last)
        try_person(deps, year, person_id, figures, found.append)
        last = person_id
    return TrialPage(found, figures, None)


def progress_of(work: ClearingWork, run: Run) -> Progress:
    """How far a run is and what it has found."""
    left = [one.detail for one in work.clearings.left(run.id, PAGE_MAX)]
    people, sums = work.clearings.people_of(run.id), work.clearings.sums_of(run.id)
    return Progress(run, dict(people), dict(sums), left)


def run_of(work: ClearingWork, run_id: str) -> Run:
    """Raises NotFoundError for none."""
    found = work.clearings.get_run(run_id[:40])
    if found is None:
        raise NotFoundError("没有这次清算", "there is no such run")
    return found


def waiting_page(
    work: ClearingWork, before: str, limit: int, hospital: str | None
) -> tuple[list[Shown], str | None]:
    """Differences that two people have to decide on, the newest first, and where the next page
    begins. A page may hold fewer than ``limit``, since what was decided is passed over."""
    found = work.clearings.proposals(before[:40], limit)
    shown = [one for one in (shown_item(work, item, hospital) for item in found) if one is not None]
    after = found[-1].id if len(found) == limit else None
    return [one for one in shown if one.waits], after


def differences_page(
    work: ClearingWork, run_id: str, after: str, limit: int, hospital: str | None
) -> tuple[list[Shown], str | None]:
    """Differences that a run found first, and where the next page begins."""
    found = work.clearings.items_page(run_id, after[:40], limit)
    shown = [one for one in (shown_item(work, item, hospital) for item in found) if one is not None]
    return shown, found[-1].id if len(found) == limit else None


def difference_of(work: ClearingWork, item_id: str, hospital: str | None) -> Shown:
    """Raises NotFoundError for none, and for one of the caller's own hospital."""
    item = work.clearings.get_item(item_id[:40])
    shown = None if item is None else shown_item(work, item, hospital)
    if shown is None:
        raise NotFoundError("没有这一项清算差额", "there is no such difference")
    return shown


def shown_item(work: ClearingWork, item: Item, hospital: str | None) -> Shown | None:
    """The item with its order; None on a bill of ``hospital``, the caller's own."""
    if hospital is not None:
        claim = work.claims.get(item.claim_id)
        if work.claims.bill_of_version(claim.version_id).institution_code == hospital:
            return None
    order = order_of(work, item) if item.outcome == PROPOSED else None
    return Shown(item, order)


def order_of(work: ClearingWork, item: Item) -> Recovery:
    """The order that a proposal was stored with."""
    (found,) = work.recoveries.of_source(Cause.CLEARING, item.id)
    return found


def each_waiting(work: ClearingWork, act: Callable[[Shown], None]) -> None:
    """Everything that waits for two people, page by page."""
    before: str | None = ""
    while before is not None:
        page, before = waiting_page(work, before, PAGE_MAX, None)
        for one in page:
            act(one)
