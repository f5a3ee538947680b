"""The clearing of a year: person by person, each in a transaction of its own.

A run is resumed by calling it again: whoever is done is passed over. Only differences are booked.
More is a further decision version by ``claims.versions``, which asks as many people as the amount
takes; less is proposed as a recovery, on which two people decide. A difference that was found
before is the row that is there, so that a second run over the same data changes nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain import recovery
from backend.domain.claim import ClaimState
from backend.domain.clearing import (
    Difference,
    Finding,
    Order,
    require_year,
)
from backend.domain.local_time import local_day
from backend.domain.revision import Cause
from backend.service_layer.claims.records import MACHINE, Claim
from backend.service_layer.clearing.ports import ClearingServices, ClearingWork
from backend.service_layer.clearing.records import (
    CLEARED,
    FOR_PEOPLE,
    NOTED,
    PROPOSED,
    VERSION,
    WAITS,
    ClearedPerson,
    Item,
    Run,
)
from backend.service_layer.clearing.year import PersonYear, work_out
from backend.service_layer.failpoints import reach
from backend.service_layer.handling.versions import Grounds, revise_alone
from backend.service_layer.handling.year_totals import CLEARING_AGAIN
from backend.service_layer.recovery.opening import PROPOSED as RECOVERY_PROPOSED
from backend.service_layer.recovery.opening import Ground, order_recovery
from backend.service_layer.recovery.ports import Dismissal
from backend.service_layer.supervision.leads import person_of
from backend.service_layer.supervision.once import Once, keep_result, result_of
from verifier.commitment.canonical import canonical_bytes

PAGE: Final = 200
"""People read at once; each is worked out in a transaction of its own."""

FOR_A_PERSON: Final = "clearing-for-a-person"
"""The alarm of a claim that comes to more after money of it was asked back."""


@dataclass(slots=True)
class Figures:
    """What a call of a run did. ``people`` and ``claims`` count by what became of them, money is
    the fen of differences, both positive. ``known`` were found by an earlier run; ``waiting`` are
    not booked yet, and the next run looks again."""

    people: Counter[str] = field(default_factory=Counter)
    claims: int = 0
    found: Counter[str] = field(default_factory=Counter)
    more_fen: int = 0
    less_fen: int = 0
    known: int = 0
    waiting: int = 0

    def to_record(self) -> dict[str, Any]:
        return {
            "people": dict(sorted(self.people.items())),
            "claims": self.claims,
            "differences": dict(sorted(self.found.items())),
            "more_fen": self.more_fen,
            "less_fen": self.less_fen,
            "known_before": self.known,
            "waiting": self.waiting,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """One difference as a run tells it. ``outcome`` is empty in a trial, ``is_new`` False for one
    that an earlier run has found."""

    claim_number: str
    finding: Finding
    basis: Order
    before_fen: int
    after_fen: int
    outcome: str = ""
    is_new: bool = True


Report = Callable[[Found], None]


def _tell_nobody(found: Found) -> None:
    """The default of ``report``."""


def try_year(deps: ClearingServices, year: int, report: Report = _tell_nobody) -> Figures:
    """Work out a year and report what differs; writes nothing. A year may be open.

    Raises :class:`ClearingError` for a year that is none.
    """
    require_year(year, deps.clock.now(), may_be_open=True)
    figures = Figures()
    for person_id in people_of_year(deps, year):
        try_person(deps, year, person_id, figures, report)
    return figures


def try_person(
    deps: ClearingServices, year: int, person_id: str, figures: Figures, report: Report
) -> None:
    """Work out one person's year and report what differs; writes nothing."""
    with deps.work(write=False) as work:
        found = work_out(deps, work, person_id, year)
    _count_person(figures, found)
    for one in _differences(found):
        told = _found(found, one, "", is_new=True)
        _count(figures, told)
        report(told)


def run_year(
    deps: ClearingServices,
    year: int,
    *,
    by: str,
    may_be_open: bool = False,
    report: Report = _tell_nobody,
) -> tuple[Run, Figures]:
    """Clear a year, or go on with the run of it that was cut off.

    ``by`` is a member of staff where staff are registered, else a name. Raises
    :class:`ClearingError`, :class:`YearOpenError`, BadStepError and NotFoundError (who clears).
    Whatever stops it in the middle, the
    people that it has been through are done, and calling it again goes on with the others.
    """
    run = begin_run(deps, year, by, may_be_open=may_be_open)
    figures = Figures()
    for person_id in people_of_year(deps, year):
        told = clear_person(deps, run, person_id, figures)
        reach("clearing.person-done")
        for one in told:
            report(one)
    return end_run(deps, run), figures


def end_run(deps: ClearingServices, run: Run) -> Run:
    """The run is through with everybody."""
    with deps.work() as work:
        work.clearings.end(run.id, deps.clock.now())
        work.commit()
    with deps.work(write=False) as work:
        ended = work.clearings.get_run(run.id)
    assert ended is not None, "the run was stored"
    return ended


def begin_run(
    deps: ClearingServices, year: int, by: str, *, may_be_open: bool, once: Once | None = None
) -> Run:
    """The run of a year that is not at its end, or another one; nobody is cleared here.

    Under ``once`` the same request is the run that it began, also when that has ended. Raises what
    :func:`run_year` raises, and KeyUsedError.
    """
    require_year(year, deps.clock.now(), may_be_open=may_be_open)
    while True:
        with deps.work() as work:
            person = person_of(work, by)
            before = None if once is None else result_of(work, person, once)
            if before is not None:
                found = work.clearings.get_run(before)
                assert found is not None, "a result is kept with its run"
                return found
            run, is_taken = _open_or_next(deps, work, year, person)
            if not is_taken:
                continue  # another one began it in this moment: go on with that one
            if once is not None:
                keep_result(work, person, once, run.id, deps.clock.now())
            work.commit()
            return run


def _open_or_next(
    deps: ClearingServices, work: ClearingWork, year: int, person: str
) -> tuple[Run, bool]:
    """The run to go on with, and whether it is ours to go on with."""
    known = work.clearings.runs(year, limit=1)
    if known and known[0].ended_at is None:
        return known[0], True
    now = deps.clock.now()
    run = Run(
        id=deps.ids.new_id("clr"),
        year=year,
        ordinal=known[0].ordinal + 1 if known else 1,
        is_year_open=_is_open(year, now),
        started_by=person,
        started_at=now,
    )
    return run, work.clearings.start(run)


def _is_open(year: int, now: dt.datetime) -> bool:
    return local_day(now).year <= year


def people_of_year(deps: ClearingServices, year: int, after: str = "") -> Iterator[str]:
    """Everybody with a decided claim of the year, in the order of their ids."""
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    start = (after, year) if after else None
    while True:
        with deps.work(write=False) as work:
            page = work.decided_claims.person_years(start, first, last, PAGE)
        yield from (person_id for person_id, of_year in page if of_year == year)
        if len(page) < PAGE:
            return
        start = page[-1]


# --- one person --------------------------------------------------------------------------------


def clear_person(deps: ClearingServices, run: Run, person_id: str, figures: Figures) -> list[Found]:
    """Clear one person's year in one transaction, unless the run has been through with them."""
    with deps.work() as work:
        work.people.lock(person_id)
        if work.clearings.is_done(run.id, person_id):
            return []
        found = work_out(deps, work, person_id, run.year)
        now = deps.clock.now()
        told = [_book(deps, work, run, found, one) for one in _differences(found)]
        if found.outcome == CLEARED:
            _dismiss_stale(deps, work, run, found)
            work.alarms.clear(CLEARING_AGAIN, f"{person_id}:{run.year}")
        waiting = [one.claim_number for one in told if one.outcome == WAITS]
        detail = f"not paid yet: {', '.join(waiting[:5])}" if waiting else ""
        work.clearings.add_person(
            ClearedPerson(
                run.id,
                person_id,
                found.outcome,
                len(found.claims),
                (found.detail or detail)[:500],
                now,
            )
        )
        work.commit()
    _count_person(figures, found)
    for one in told:
        _count(figures, one)
    return told


def _differences(found: PersonYear) -> tuple[Difference, ...]:
    return () if found.year is None else found.year.differences


def _book(
    deps: ClearingServices, work: ClearingWork, run: Run, found: PersonYear, one: Difference
) -> Found:
    claim = work.claims.get(found.claims[one.claim.number].id, lock=True)
    item = _item(deps, run, found, claim, one)
    if any(_is_same(known, item) for known in work.clearings.items_of_claim(claim.id)):
        return _found(found, one, "", is_new=False)
    assert found.year is not None, "a difference is of a year that was worked out"
    if one.finding is Finding.MORE and found.year.waits_for_less:
        return _found(found, one, WAITS, is_new=True)
    outcome = NOTED
    if one.finding is Finding.MORE:
        outcome = _more(deps, work, run, claim, one)
        if outcome == WAITS:
            return _found(found, one, WAITS, is_new=True)
    elif one.finding is Finding.LESS:
        outcome = _less(deps, work, claim, one, _ground(run, item))
    work.clearings.add_item(_with_outcome(item, outcome))
    return _found(found, one, outcome, is_new=True)


def _more(
    deps: ClearingServices, work: ClearingWork, run: Run, claim: Claim, one: Difference
) -> str:
    """Another version, or a case for people. Where money was asked back before, a person settles
    it: the order is waived rather than paid back to and fro."""
    assert one.eob is not None and one.history is not None, "without a rule nothing is more"
    known = one.claim.inputs
    assert known is not None, "what was adjudicated has inputs"
    if one.claim.taken.total_fen:
        detail = f"claim {claim.number} comes to {one.difference_fen} fen more after a recovery"
        work.alarms.raise_alarm(FOR_A_PERSON, claim.id, detail)
        return NOTED
    grounds = Grounds(Cause.CLEARING, MACHINE, f"{run.year} 年度清算，全年重新计算")
    adjudicated = (one.eob, known.person, one.history, known.pack)
    decision = revise_alone(deps, work, claim, adjudicated, grounds)
    if decision is not None:
        return VERSION
    # Neither where the stored bill was changed: its alarm says so, and nothing is paid on it.
    return FOR_PEOPLE if _is_before_people(work, claim, one) else WAITS


def _is_before_people(work: ClearingWork, claim: Claim, one: Difference) -> bool:
    return any(
        (asked.request.code, asked.request.amount_after_fen) == (Cause.CLEARING, one.after_fen)
        for asked in work.revisions.of_claim(claim.id)
    )


def _less(
    deps: ClearingServices, work: ClearingWork, claim: Claim, one: Difference, ground: Ground
) -> str:
    assert claim.state is ClaimState.PAID, "a year with money on its way is left for later"
    order_recovery(deps, work, claim, one.too_much, ground)
    return PROPOSED


def _ground(run: Run, item: Item) -> Ground:
    return Ground(
        recovery.Cause.CLEARING,
        item.id,
        f"{run.year} 年度清算：应报 {item.after_fen} 分，已报 {item.before_fen} 分",
        by=run.started_by,
    )


def _dismiss_stale(deps: ClearingServices, work: ClearingWork, run: Run, found: PersonYear) -> None:
    """Take back what an earlier run proposed and what is not so any more: of one claim two orders
    would ask for the same money twice."""
    assert found.year is not None, "a cleared year was worked out"
    now = {one.claim.number: one for one in found.year.claims}
    for number, claim in found.claims.items():
        for item in work.clearings.items_of_claim(claim.id):
            if item.outcome != PROPOSED or _still_holds(item, now[number], claim):
                continue
            for order in work.recoveries.of_source(recovery.Cause.CLEARING, item.id):
                if order.state is not recovery.State.PROPOSED:
                    continue
                work.recoveries.add_dismissal(
                    Dismissal(
                        order.order.id, run.started_by, "清算重新计算，差额有变化", deps.clock.now()
                    )
                )
                work.alarms.clear(RECOVERY_PROPOSED, order.order.id)


def _still_holds(item: Item, one: Difference, claim: Claim) -> bool:
    return (one.finding, one.before_fen, one.after_fen, claim.decision_version) == (
        Finding.LESS,
        item.before_fen,
        item.after_fen,
        item.decision_version,
    )


def _is_same(known: Item, item: Item) -> bool:
    def key(one: Item) -> tuple[Any, ...]:
        return one.decision_version, one.finding, one.before_fen, one.after_fen

    return key(known) == key(item)


def _item(
    deps: ClearingServices, run: Run, found: PersonYear, claim: Claim, one: Difference
) -> Item:
    assert found.year is not None, "a difference is of a year that was worked out"
    snapshot = None
    if one.history is not None:
        snapshot = canonical_bytes(one.history.to_record()).decode()
    return Item(
        id=deps.ids.new_id("cli"),
        run_id=run.id,
        person_id=claim.person_id,
        claim_id=claim.id,
        claim_number=claim.number,
        year=run.year,
        finding=one.finding,
        outcome=NOTED,
        basis=found.year.order,
        decision_version=claim.decision_version,
        before_fen=one.before_fen,
        after_fen=one.after_fen,
        layers=one.after,
        history_snapshot=snapshot,
        created_at=deps.clock.now(),
    )


def _with_outcome(item: Item, outcome: str) -> Item:
    return dataclasses.replace(item, outcome=outcome)


def _found(found: PersonYear, one: Difference, outcome: str, *, is_new: bool) -> Found:
    assert found.year is not None, "a difference is of a year that was worked out"
    return Found(
        one.claim.number,
        one.finding,
        found.year.order,
        one.before_fen,
        one.after_fen,
        outcome,
        is_new,
    )


def _count_person(figures: Figures, found: PersonYear) -> None:
    figures.people[found.outcome] += 1
    figures.claims += len(found.claims)


def _count(figures: Figures, one: Found) -> None:
    if not one.is_new:
        figures.known += 1
        return
    if one.outcome == WAITS:
        figures.waiting += 1
        return
    figures.found[str(one.finding)] += 1
    figures.more_fen += max(0, one.after_fen - one.before_fen)
    figures.less_fen += max(0, one.before_fen - one.after_fen)
