"""Who decides on a clearing's difference, what a desk is shown of it, and how a run goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.clearing import ClearingConflictError, Finding
from backend.domain.errors import ForbiddenError, NotFoundError
from backend.domain.recovery import Cause, State
from backend.service_layer.clearing import carry_on, confirm, desk
from backend.service_layer.clearing.carry_on import ClearingInWorker

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
HOSPITAL = "H33080200001"


def item(number: int = 1, outcome: str = "proposed") -> Any:
    return SimpleNamespace(
        id=f"clr_{number}", claim_id=f"clm_{number}", claim_number=f"C{number}",
        person_id="per_1", year=2025, finding=Finding.LESS, outcome=outcome,
        before_fen=6_000, after_fen=5_000,
    )  # fmt: skip


class Books:
    """Differences with their orders; claim 2 is on another hospital's bill."""

    def __init__(self, *items: Any) -> None:
        self.items = items or (item(),)
        self.states: dict[str, State] = {}
        self.asked: list[tuple[Any, ...]] = []

    def of_source(self, cause: Cause, name: str) -> list[Any]:
        assert cause is Cause.CLEARING
        order = SimpleNamespace(id=f"rec_{name}")
        return [SimpleNamespace(order=order, state=self.states.get(name, State.PROPOSED))]

    def page(self, *asked: Any) -> list[Any]:
        self.asked.append(asked)
        *_, after, limit = asked
        rest = [one for one in self.items if one.id > after]
        return rest[:limit]

    @property
    def work(self) -> Any:
        known = {one.id: one for one in self.items}
        return SimpleNamespace(
            clearings=SimpleNamespace(
                get_item=known.get, proposals=self.page, items_page=self.page,
                get_run=lambda name: f"run {name}" if name == "clr_run" else None,
                left=lambda run, limit: [SimpleNamespace(detail=f"{run}, {limit}")],
                people_of=lambda run: {"cleared": (3, 5)} if run == "clr_run" else {},
                sums_of=lambda run: {"less": (1, -1_000)} if run == "clr_run" else {},
            ),
            claims=SimpleNamespace(
                get=lambda claim: SimpleNamespace(version_id=f"ver_{claim}"),
                bill_of_version=lambda version: SimpleNamespace(
                    institution_code="H2" if version == "ver_clm_2" else HOSPITAL
                ),
            ),
            recoveries=SimpleNamespace(of_source=self.of_source),
        )  # fmt: skip

    @property
    def deps(self) -> Any:
        class Reading:
            def __enter__(_) -> Any:  # noqa: N805
                return self.work

            def __exit__(_, *error: object) -> None:  # noqa: N805
                return None

        return SimpleNamespace(
            work=lambda write: Reading() if not write else 1 / 0,
            clock=SimpleNamespace(now=lambda: NOW),
        )


# --- two people decide ----------------------------------------------------------------------------


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is handed to the recoveries; whoever is of the hospital may not."""
    done: list[tuple[Any, ...]] = []

    def person_of(work: Any, by: str, institution: str) -> str:
        if by == "本院" and institution == HOSPITAL:
            raise ForbiddenError("不能办", "of the institution")
        return by

    monkeypatch.setattr(confirm, "person_of", person_of)
    for name in ("approve", "dismiss"):
        monkeypatch.setattr(
            confirm, name,
            lambda deps, order, by, reason, name=name: done.append((name, order, by, reason)),
        )  # fmt: skip
    year(monkeypatch)
    return done


def year(monkeypatch: pytest.MonkeyPatch, outcome: str = "cleared", **changed: Any) -> None:
    """What the year comes to now."""
    values = {"number": "C1", "finding": Finding.LESS, "before_fen": 6_000, "after_fen": 5_000}
    values |= changed
    one = SimpleNamespace(claim=SimpleNamespace(number=values.pop("number")), **values)
    other = SimpleNamespace(claim=SimpleNamespace(number="C0"), finding=Finding.MORE)
    cleared = SimpleNamespace(claims=(other, one)) if outcome == "cleared" else None
    found = SimpleNamespace(outcome=outcome, detail="open: C9", year=cleared)

    def work_out(deps: Any, work: Any, person_id: str, asked: int) -> Any:
        assert (person_id, asked) == ("per_1", 2025)
        return found

    monkeypatch.setattr(confirm, "work_out", work_out)


def test_what_still_is_so_goes_to_the_recovery_that_was_proposed(decided: list[Any]) -> None:
    confirm.confirm(Books().deps, "clr_1", "经办甲", "年度重算")
    confirm.decline(Books().deps, "clr_1", "经办乙", "金额很小")
    assert decided == [
        ("approve", "rec_clr_1", "经办甲", "年度重算"),
        ("dismiss", "rec_clr_1", "经办乙", "金额很小"),
    ]


@pytest.mark.parametrize("act", [confirm.confirm, confirm.decline])
def test_nobody_decides_on_a_bill_of_their_own_hospital(act: Any, decided: list[Any]) -> None:
    with pytest.raises(ForbiddenError, match="of the institution"):
        act(Books().deps, "clr_1", "本院", "年度重算")
    assert decided == []


def test_on_another_hospitals_bill_they_do(decided: list[Any]) -> None:
    confirm.decline(Books(item(2)).deps, "clr_2", "本院", "金额很小")
    assert decided == [("dismiss", "rec_clr_2", "本院", "金额很小")]


@pytest.mark.parametrize("act", [confirm.confirm, confirm.decline])
def test_only_what_was_proposed_is_decided(act: Any, decided: list[Any]) -> None:
    with pytest.raises(NotFoundError) as missing:
        act(Books().deps, "clr_9", "经办甲", "年度重算")
    assert (missing.value.zh, missing.value.en) == (
        "没有这一项清算差额", "there is no such difference",
    )  # fmt: skip
    with pytest.raises(ClearingConflictError) as booked:
        act(Books(item(outcome="booked")).deps, "clr_1", "经办甲", "年度重算")
    assert (booked.value.zh, booked.value.en) == (
        "这一项是 less（booked），没有要追回的金额",
        "this difference is less (booked): there is nothing to ask back",
    )
    assert decided == []


@pytest.mark.parametrize(
    "changed",
    [{"number": "C2"}, {"finding": Finding.SAME}, {"before_fen": 6_001}, {"after_fen": 5_001}],
)
def test_nothing_is_confirmed_on_facts_that_have_changed(
    changed: dict[str, Any], decided: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    year(monkeypatch, **changed)
    with pytest.raises(ClearingConflictError) as caught:
        confirm.confirm(Books().deps, "clr_1", "经办甲", "年度重算")
    assert (caught.value.zh, caught.value.en) == (
        "提出以后情况有变化，金额已不同：请重新运行清算",
        "the amount is not what was proposed any more: run the clearing again",
    )
    assert decided == []


@pytest.mark.parametrize("outcome", ["deferred", "unreadable"])
def test_a_year_that_cannot_be_cleared_now_confirms_nothing(
    outcome: str, decided: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    year(monkeypatch, outcome)
    with pytest.raises(ClearingConflictError) as caught:
        confirm.confirm(Books().deps, "clr_1", "经办甲", "年度重算")
    assert caught.value.zh == "这个人的年度现在不能清算（open: C9）：等办结后重新运行清算"
    assert caught.value.en == (
        "the person's year cannot be cleared now (open: C9): run the clearing again when that is "
        "done"
    )
    assert decided == []


# --- what a desk is shown -------------------------------------------------------------------------


def test_nobody_is_shown_what_is_asked_back_on_a_bill_of_their_hospital() -> None:
    books = Books(item(1), item(2), item(3, "booked"))
    shown, after = desk.differences_page(books.work, "clr_run", "", 3, "H2")
    assert [(one.item.id, one.order is None) for one in shown] == [
        ("clr_1", False), ("clr_3", True),
    ]  # fmt: skip
    assert after == "clr_3" and books.asked == [("clr_run", "", 3)]
    assert desk.differences_page(books.work, "clr_run", "", 4, None)[1] is None
    assert desk.difference_of(books.work, "clr_2", HOSPITAL).item.id == "clr_2"
    for name, hospital in (("clr_2", "H2"), ("clr_9", None)):
        with pytest.raises(NotFoundError, match="there is no such difference"):
            desk.difference_of(books.work, name, hospital)


def test_what_was_decided_waits_for_nobody_and_pages_go_on_behind_it() -> None:
    books = Books(item(1), item(2), item(3))
    books.states = {"clr_1": State.DISMISSED}
    shown, after = desk.waiting_page(books.work, "", 2, None)
    assert ([one.item.id for one in shown], after) == (["clr_2"], "clr_2")
    shown, after = desk.waiting_page(books.work, "clr_2", 2, None)
    assert ([one.item.id for one in shown], after) == (["clr_3"], None)


def test_everything_that_waits_is_gone_through_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desk, "PAGE_MAX", 2)
    books = Books(*(item(number) for number in range(1, 4)))
    books.states = {"clr_2": State.DISMISSED}
    told: list[str] = []
    desk.each_waiting(books.work, lambda one: told.append(one.item.id))
    assert told == ["clr_1", "clr_3"] and books.asked == [("", 2), ("clr_2", 2)]


def test_a_runs_progress_is_told_and_an_unknown_run_is_none() -> None:
    run: Any = SimpleNamespace(id="clr_run")
    assert desk.progress_of(Books().work, run) == desk.Progress(
        run, {"cleared": (3, 5)}, {"less": (1, -1_000)}, ["clr_run, 200"]
    )
    assert str(desk.run_of(Books().work, "clr_run")) == "run clr_run"
    with pytest.raises(NotFoundError) as caught:
        desk.run_of(Books().work, "clr_x")
    assert (caught.value.zh, caught.value.en) == ("没有这次清算", "there is no such run")


@pytest.mark.parametrize(
    ("people", "limit", "tried", "after"),
    [(5, 2, 2, "per_001"), (2, 2, 2, None), (60, 99, 50, "per_049"), (0, 2, 0, None)],
)
def test_a_trial_goes_through_at_most_fifty_people_in_a_call(
    people: int, limit: int, tried: int, after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, str]] = []

    def try_person(deps: Any, year: int, person: str, figures: Any, found: Any) -> None:
        assert person == f"per_{len(done):03}"
        done.append((year, person))
        found(person)

    def of_year(deps: Any, year: int, begin: str) -> Iterator[str]:
        assert (year, begin) == (2025, "per_")
        return (f"per_{number:03}" for number in range(people))

    monkeypatch.setattr(desk, "try_person", try_person)
    monkeypatch.setattr(desk, "people_of_year", of_year)
    page = desk.try_page(Books().deps, 2025, "per_", limit)
    assert (len(done), len(page.found), page.after) == (tried, tried, after)


# --- the worker goes on ---------------------------------------------------------------------------


class Runs:
    """Runs of a year with three people; each takes so long."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: dt.timedelta = SECOND / 10) -> None:
        self.now = NOW
        self.runs: list[Any] = [self.run("run_1", NOW - 20 * SECOND)]
        self.last: dict[str, dt.datetime] = {}
        self.done: list[str] = []
        self.ended: list[str] = []

        def clear_person(deps: Any, run: Any, person: str, figures: Any) -> None:
            assert deps.clock.now() == self.now
            self.done.append(person)
            self.last[run.id] = self.now
            self.now += takes

        monkeypatch.setattr(carry_on, "clear_person", clear_person)
        self.points: list[str] = []

        def of_year(deps: Any, year: int) -> list[str]:
            assert deps.clock.now() == self.now and year == 2025
            return ["a", "b", "c"]

        monkeypatch.setattr(carry_on, "people_of_year", of_year)
        monkeypatch.setattr(carry_on, "reach", self.points.append)
        monkeypatch.setattr(carry_on, "end_run", lambda deps, run: self.ended.append(run.id))

    @staticmethod
    def run(name: str, started: dt.datetime, ended: dt.datetime | None = None) -> Any:
        return SimpleNamespace(id=name, year=2025, started_at=started, ended_at=ended)

    @property
    def worker(self) -> ClearingInWorker:
        deps: Any = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: self.now), work=lambda write: self
        )
        return ClearingInWorker(deps)

    def __enter__(self) -> Any:
        return SimpleNamespace(
            clearings=SimpleNamespace(
                runs=lambda limit: self.runs[:limit], last_at=self.last.get,
                people_done=lambda name: set(self.done),
            )
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        return None


def test_a_run_that_nobody_is_at_is_gone_through_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch)
    runs.done = ["b"]
    assert runs.worker.advance() == 2
    assert runs.done == ["b", "a", "c"] and runs.ended == ["run_1"]
    assert runs.points == ["clearing.person-done"] * 2, "where the tests of kills end it"


def test_after_a_second_the_rest_is_left_and_goes_on_in_the_next_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = Runs(monkeypatch, takes=SECOND / 2)
    worker = runs.worker
    assert worker.advance() == 2 and runs.ended == []
    assert worker.advance() == 1 and runs.ended == ["run_1"]
    assert runs.done == ["a", "b", "c"]


@pytest.mark.parametrize(("idle", "people"), [(15, 3), (14, 0)])
def test_a_run_at_which_somebody_is_is_left_alone(
    idle: int, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Runs(monkeypatch)
    begun.runs = [begun.run("run_1", NOW - idle * SECOND)]
    assert begun.worker.advance() == people
    cleared = Runs(monkeypatch)
    cleared.last = {"run_1": NOW - idle * SECOND}
    assert cleared.worker.advance() == people


def test_what_has_ended_is_passed_over_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch)
    runs.runs.insert(0, runs.run("run_0", NOW - 99 * SECOND, ended=NOW))
    assert runs.worker.advance() == 3 and runs.ended == ["run_1"]
    runs.runs = runs.runs[:1]
    assert runs.worker.advance() == 0
