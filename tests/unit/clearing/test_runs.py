"""A run over a year: who is cleared, what is booked once, what waits (docs/clearing.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.clearing import (
    ClearedYear,
    ClearingError,
    Difference,
    Finding,
    Order,
    YearClaim,
    YearOpenError,
)
from backend.domain.journal import LayerAmounts
from backend.domain.person import HistoryEntry, VisitKind
from backend.domain.recovery import Cause as RecoveryCause
from backend.domain.recovery import State
from backend.domain.revision import Cause
from backend.service_layer.clearing import run
from backend.service_layer.clearing.records import ClearedPerson, Item, Run
from backend.service_layer.clearing.run import Figures, Found
from backend.service_layer.clearing.year import PersonYear
from backend.service_layer.handling.versions import Grounds
from backend.service_layer.recovery.opening import Ground
from backend.service_layer.recovery.ports import Dismissal
from backend.service_layer.supervision.once import KeyUsedError, Once
from tests.unit.payout.payables import CLAIM

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
EARLIER = NOW - dt.timedelta(days=9)
PAID = replace(CLAIM, state=ClaimState.PAID, benefit_year=2025, decision_version=3)
SECOND = replace(PAID, id="clm_2", number="C2", person_id="per_1")
PACK: Any = SimpleNamespace(pack_id="pack")
PERSON: Any = SimpleNamespace(name="snapshot")
HISTORY: Any = SimpleNamespace(to_record=lambda: {"entries": []})
EOB: Any = SimpleNamespace(name="eob")
RUN = Run("clr_1", 2025, 1, is_year_open=False, started_by="清算员甲", started_at=EARLIER)


def difference(
    finding: Finding, before: int, after: int, number: str = "C1", taken: int = 0
) -> Difference:
    """A claim of which the person has ``before`` and should have ``after``, all from the pool."""
    entry = HistoryEntry(number, dt.date(2025, 3, 1), VisitKind.OUTPATIENT, "H1", "310", 0, 0, 0)
    inputs: Any = SimpleNamespace(pack=PACK, person=PERSON)
    claim = YearClaim(
        number, entry.service_on, b"k", LayerAmounts(before + taken), entry, inputs,
        LayerAmounts(taken),
    )  # fmt: skip
    has_rule = finding is not Finding.NO_RULE
    return Difference(
        claim,
        finding,
        LayerAmounts(after),
        EOB if has_rule else None,
        HISTORY if has_rule else None,
    )


MORE = difference(Finding.MORE, 29_400, 37_800)
LESS = difference(Finding.LESS, 37_800, 29_400)


def person_year(*differences: Difference, order: Order = Order.DECIDED) -> PersonYear:
    return PersonYear("cleared", "", {"C1": PAID, "C2": SECOND}, ClearedYear(order, differences))


class Office:
    """A year's runs and differences, and the years that people come to."""

    def __init__(self, **years: PersonYear) -> None:
        self.years = years or {"per_1": person_year()}
        self.pages: list[list[tuple[str, int]]] = [[(name, 2025) for name in self.years]]
        self.asked: list[tuple[Any, ...]] = []
        self.runs: list[Run] = []
        self.ended: list[tuple[str, dt.datetime]] = []
        self.done: list[ClearedPerson] = []
        self.items: list[Item] = []
        self.orders: dict[str, list[Any]] = {}
        self.dismissals: list[Dismissal] = []
        self.requests: list[Any] = []
        self.alarms: dict[tuple[str, str], str] = {}
        self.acts: dict[tuple[str, str], Any] = {}
        self.locked: list[str] = []
        self.worked_out: list[tuple[str, int]] = []
        self.steals_start = 0
        self.commits = 0
        self.writing: list[bool] = []
        self.wrote: list[bool] = []
        self.made = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=self._work,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=self._new_id),
        )

    def _new_id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made}"

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        self.writing.append(write)
        self.wrote += [write] * write
        return self

    def __exit__(self, *_: object) -> None:
        self.writing.pop()

    def __enter__(self) -> Any:
        return SimpleNamespace(
            commit=self._commit,
            people=SimpleNamespace(lock=self.locked.append),
            claims=SimpleNamespace(get=self._claim),
            clearings=SimpleNamespace(
                start=self._start,
                end=lambda name, at: self.ended.append((name, at)),
                get_run=lambda name: next((one for one in self.runs if one.id == name), None),
                runs=self._runs,
                is_done=lambda name, person: any(
                    (one.run_id, one.person_id) == (name, person) for one in self.done
                ),
                add_person=self.done.append,
                add_item=self.items.append,
                items_of_claim=lambda claim: [one for one in self.items if one.claim_id == claim],
            ),
            decided_claims=SimpleNamespace(person_years=self._person_years),
            recoveries=SimpleNamespace(
                of_source=lambda cause, name: (
                    self.orders.get(name, []) if cause is RecoveryCause.CLEARING else []
                ),
                add_dismissal=self.dismissals.append,
            ),
            revisions=SimpleNamespace(
                of_claim=lambda claim: self.requests if claim == "clm_1" else []
            ),
            alarms=SimpleNamespace(
                raise_alarm=lambda code, subject, detail: self.alarms.update(
                    {(code, subject): detail}
                ),
                clear=lambda code, subject: self.alarms.pop((code, subject), None),
            ),
            staff_acts=SimpleNamespace(
                get=lambda person, key: self.acts.get((person, key)),
                add=lambda act: self.acts.update({(act.person, act.request_key): act}),
            ),
        )

    def _commit(self) -> None:
        assert self.writing[-1], "a reading transaction writes nothing"
        self.commits += 1

    def _claim(self, name: str, *, lock: bool) -> Any:
        assert lock, "what is booked on is locked"
        return {"clm_1": PAID, "clm_2": SECOND}[name]

    def _runs(self, year: int, *, limit: int) -> list[Run]:
        assert limit == 1, "the newest alone is asked for"
        found = sorted(self.runs, key=lambda one: -one.ordinal)
        return [one for one in found if one.year == year][:limit]

    def _start(self, entry: Run) -> bool:
        assert self.writing[-1]
        if self.steals_start:
            self.steals_start -= 1
            self.runs.append(replace(entry, id="clr_theirs", started_by="清算员乙"))
            return False
        self.runs.append(entry)
        return True

    def _person_years(self, *asked: Any) -> list[tuple[str, int]]:
        self.asked.append(asked)
        return self.pages.pop(0)

    def item(self, outcome: str = "proposed", **changed: Any) -> Item:
        """A difference that an earlier run found."""
        values = {
            "id": "cli_0", "run_id": "clr_0", "person_id": "per_1", "claim_id": "clm_1",
            "claim_number": "C1", "year": 2025, "finding": Finding.LESS, "outcome": outcome,
            "basis": Order.DECIDED, "decision_version": 3, "before_fen": 37_800,
            "after_fen": 29_400, "layers": LayerAmounts(29_400), "history_snapshot": None,
            "created_at": EARLIER,
        }  # fmt: skip
        found = Item(**(values | changed))
        self.items.append(found)
        return found


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is decided again and asked back; ``revised`` False: no other version is made."""
    found = SimpleNamespace(revisions=[], recoveries=[], points=[], revised=True)

    def work_out(deps: Any, work: Any, person: str, year: int) -> PersonYear:
        assert work.people, "within a transaction"
        deps.work.__self__.worked_out.append((person, year))
        years: dict[str, PersonYear] = deps.work.__self__.years
        return years[person]

    def revise_alone(deps: Any, work: Any, *told: Any) -> Any:
        assert deps.clock.now() == NOW and work.people
        found.revisions.append(told)
        return SimpleNamespace(version=4) if found.revised else None

    monkeypatch.setattr(run, "work_out", work_out)
    monkeypatch.setattr(run, "revise_alone", revise_alone)

    def order_recovery(deps: Any, work: Any, *told: Any) -> None:
        assert deps.clock.now() == NOW and work.people
        found.recoveries.append(told)

    monkeypatch.setattr(run, "order_recovery", order_recovery)
    monkeypatch.setattr(run, "reach", found.points.append)
    monkeypatch.setattr(run, "person_of", lambda work, by: f"id of {by}")
    return found


def clear(office: Office, figures: Figures | None = None) -> list[Found]:
    return run.clear_person(office.deps, RUN, "per_1", figures or Figures())


# --- the people of a year -------------------------------------------------------------------------


def test_people_are_read_a_page_after_the_other_and_those_of_other_years_are_not_his() -> None:
    office = Office()
    first = [(f"per_{n:03}", 2025) for n in range(200)]
    office.pages = [first, [("per_900", 2024), ("per_901", 2025), ("per_901", 2026)]]
    found = list(run.people_of_year(office.deps, 2025))
    assert found == [name for name, _ in first] + ["per_901"]
    days = (dt.date(2025, 1, 1), dt.date(2025, 12, 31), 200)
    assert office.asked == [(None, *days), (("per_199", 2025), *days)]


def test_people_may_be_read_from_behind_somebody() -> None:
    office = Office()
    assert list(run.people_of_year(office.deps, 2025, "per_0")) == ["per_1"]
    assert office.asked[0][0] == ("per_0", 2025)


# --- a trial --------------------------------------------------------------------------------------


def test_a_trial_tells_everything_and_writes_nothing() -> None:
    office = Office(
        per_1=person_year(MORE, difference(Finding.LESS, 500, 100, "C2")),
        per_2=PersonYear("deferred", "open: C9", {}, None),
    )
    told: list[Found] = []
    figures = run.try_year(office.deps, 2026, told.append)
    assert told == []  # nobody has a claim of 2026
    office.pages = [[("per_1", 2025), ("per_2", 2025)]]
    figures = run.try_year(office.deps, 2025, told.append)
    assert told == [
        Found("C1", Finding.MORE, Order.DECIDED, 29_400, 37_800, "", is_new=True),
        Found("C2", Finding.LESS, Order.DECIDED, 500, 100, "", is_new=True),
    ]
    assert figures.to_record() == {
        "people": {"cleared": 1, "deferred": 1}, "claims": 2,
        "differences": {"less": 1, "more": 1}, "more_fen": 8_400, "less_fen": 400,
        "known_before": 0, "waiting": 0,
    }  # fmt: skip
    assert office.commits == 0 and office.items == [] and office.done == []
    assert office.worked_out == [("per_1", 2025), ("per_2", 2025)]
    assert office.wrote == [], "every transaction only reads"


def test_a_trial_of_a_year_that_is_none_reads_nobody() -> None:
    office = Office()
    for year in (1999, 2027):
        with pytest.raises(ClearingError, match=f"{year} is no year"):
            run.try_year(office.deps, year)
    assert office.asked == []
    assert run.try_year(office.deps, 2025).claims == 2, "nobody has to be told"


# --- beginning and ending -------------------------------------------------------------------------


def test_the_first_run_of_a_year_is_begun_and_ended_by_name() -> None:
    office = Office()
    found = run.begin_run(office.deps, 2025, "清算员甲", may_be_open=False)
    assert found == Run(
        "clr_1", 2025, 1, is_year_open=False, started_by="id of 清算员甲", started_at=NOW
    )
    assert office.runs == [found] and office.commits == 1
    assert run.end_run(office.deps, found) == found
    assert office.ended == [("clr_1", NOW)] and office.commits == 2


def test_a_run_that_was_cut_off_is_gone_on_with_and_one_that_ended_is_followed() -> None:
    office = Office()
    office.runs = [replace(RUN, id="clr_a", ended_at=EARLIER), replace(RUN, id="clr_b", ordinal=2)]
    assert run.begin_run(office.deps, 2025, "乙", may_be_open=False).id == "clr_b"
    office.runs[1] = replace(office.runs[1], ended_at=NOW)
    third = run.begin_run(office.deps, 2025, "乙", may_be_open=False)
    assert (third.id, third.ordinal, third.started_by) == ("clr_1", 3, "id of 乙")


@pytest.mark.parametrize(("year", "is_open"), [(2026, True), (2025, False)])
def test_a_year_that_is_not_over_in_china_is_cleared_only_when_that_is_meant(
    year: int, is_open: bool
) -> None:
    office = Office()
    if is_open:
        with pytest.raises(YearOpenError, match="2026 is not over"):
            run.begin_run(office.deps, year, "甲", may_be_open=False)
        assert office.runs == []
    assert run.begin_run(office.deps, year, "甲", may_be_open=is_open).is_year_open is is_open


def test_who_begins_in_the_same_moment_goes_on_with_the_others_run() -> None:
    office = Office()
    office.steals_start = 1
    assert run.begin_run(office.deps, 2025, "甲", may_be_open=False).id == "clr_theirs"
    assert len(office.runs) == 1 and office.acts == {}


def test_the_same_request_again_is_the_run_that_it_began_also_when_that_has_ended() -> None:
    office = Office()
    once = Once("key-1", ("clearing", "2025"))
    first = run.begin_run(office.deps, 2025, "甲", may_be_open=False, once=once)
    ((act_key, act),) = office.acts.items()
    assert act_key == ("id of 甲", "key-1") and (act.result, act.done_at) == (first.id, NOW)
    office.runs[0] = replace(first, ended_at=NOW)
    again = run.begin_run(office.deps, 2025, "甲", may_be_open=False, once=once)
    assert again == office.runs[0] and len(office.runs) == 1
    with pytest.raises(KeyUsedError, match="another request"):
        run.begin_run(
            office.deps, 2025, "甲", may_be_open=False, once=Once("key-1", ("clearing", "2024"))
        )
    assert len(office.runs) == 1


def test_a_run_clears_everybody_and_ends(world: SimpleNamespace) -> None:
    office = Office(per_1=person_year(LESS), per_2=PersonYear("unreadable", "C7: x", {}, None))
    told: list[Found] = []
    done, figures = run.run_year(office.deps, 2025, by="清算员甲", report=told.append)
    assert done.id == "clr_1" and office.ended == [("clr_1", NOW)]
    assert done.started_by == "id of 清算员甲"
    assert world.points == ["clearing.person-done"] * 2, "where the tests of kills end it"
    assert office.worked_out == [("per_1", 2025), ("per_2", 2025)]
    assert [(one.person_id, one.outcome, one.detail) for one in office.done] == [
        ("per_1", "cleared", ""), ("per_2", "unreadable", "C7: x"),
    ]  # fmt: skip
    assert [one.outcome for one in told] == ["proposed"]
    assert (figures.people, figures.less_fen) == ({"cleared": 1, "unreadable": 1}, 8_400)


def test_a_run_without_anybody_to_tell_is_a_run_too_and_an_open_year_is_none() -> None:
    office = Office(per_1=person_year(MORE))
    with pytest.raises(YearOpenError):
        run.run_year(office.deps, 2026, by="甲")
    assert run.run_year(office.deps, 2025, by="甲")[1].more_fen == 8_400


# --- more -----------------------------------------------------------------------------------------


def test_more_is_a_further_version_and_kept_with_what_it_was_worked_out_on(
    world: SimpleNamespace,
) -> None:
    office = Office(per_1=person_year(MORE))
    figures = Figures()
    told = clear(office, figures)
    assert told == [Found("C1", Finding.MORE, Order.DECIDED, 29_400, 37_800, "version")]
    assert world.revisions == [
        (
            PAID, (EOB, PERSON, HISTORY, PACK),
            Grounds(Cause.CLEARING, "machine", "2025 年度清算，全年重新计算"),
        )
    ]  # fmt: skip
    assert office.items == [
        Item(
            id="cli_1", run_id="clr_1", person_id="per_1", claim_id="clm_1", claim_number="C1",
            year=2025, finding=Finding.MORE, outcome="version", basis=Order.DECIDED,
            decision_version=3, before_fen=29_400, after_fen=37_800, layers=LayerAmounts(37_800),
            history_snapshot='{"entries":[]}', created_at=NOW,
        )
    ]  # fmt: skip
    assert office.done == [ClearedPerson("clr_1", "per_1", "cleared", 2, "", NOW)]
    assert (office.locked, office.commits) == (["per_1"], 1)
    assert (figures.people, figures.claims, figures.found, figures.more_fen, figures.less_fen) == (
        {"cleared": 1}, 2, {"more": 1}, 8_400, 0,
    )  # fmt: skip


def test_whom_a_run_has_been_through_is_passed_over(world: SimpleNamespace) -> None:
    office = Office(per_1=person_year(MORE))
    office.done = [ClearedPerson("clr_1", "per_1", "cleared", 2, "", NOW)]
    figures = Figures()
    assert clear(office, figures) == [] and figures == Figures()
    assert office.commits == 0 and world.revisions == [] and office.worked_out == []
    office.done = [ClearedPerson("clr_0", "per_1", "cleared", 2, "", NOW)]
    assert len(clear(office)) == 1, "another run's people are not this one's"


def asked_about(cause: str, after: int) -> Any:
    return SimpleNamespace(request=SimpleNamespace(code=cause, amount_after_fen=after))


@pytest.mark.parametrize(
    ("requests", "outcome"),
    [
        ([asked_about("clearing", 37_800)], "for-people"),
        ([asked_about("clearing", 37_801)], "waits"),
        ([asked_about("appeal", 37_800)], "waits"),
        ([], "waits"),
    ],
)
def test_more_than_the_machine_may_add_is_a_case_and_without_one_it_waits(
    world: SimpleNamespace, requests: list[Any], outcome: str
) -> None:
    world.revised = False
    office = Office(per_1=person_year(MORE))
    office.requests = requests
    figures = Figures()
    [told] = clear(office, figures)
    assert (told.outcome, told.is_new) == (outcome, True)
    is_kept = outcome == "for-people"
    assert [one.outcome for one in office.items] == ([outcome] if is_kept else [])
    assert office.done[0].detail == ("" if is_kept else "not paid yet: C1")
    assert (figures.waiting, figures.more_fen) == ((0, 8_400) if is_kept else (1, 0))


def test_more_after_money_was_asked_back_is_for_a_person(world: SimpleNamespace) -> None:
    office = Office(per_1=person_year(difference(Finding.MORE, 100, 150, taken=50)))
    [told] = clear(office)
    assert told.outcome == "noted" and world.revisions == []
    assert [one.outcome for one in office.items] == ["noted"]
    assert office.alarms == {
        ("clearing-for-a-person", "clm_1"): "claim C1 comes to 50 fen more after a recovery"
    }


# --- less, and both -------------------------------------------------------------------------------


def test_less_is_proposed_to_be_asked_back_by_who_began_the_run(world: SimpleNamespace) -> None:
    office = Office(per_1=person_year(LESS))
    figures = Figures()
    [told] = clear(office, figures)
    assert told == Found("C1", Finding.LESS, Order.DECIDED, 37_800, 29_400, "proposed")
    assert world.recoveries == [
        (
            PAID, LayerAmounts(8_400),
            Ground(
                RecoveryCause.CLEARING, "cli_1",
                "2025 年度清算：应报 29400 分，已报 37800 分", by="清算员甲",
            ),
        )
    ]  # fmt: skip
    assert world.revisions == []
    assert (figures.less_fen, figures.more_fen, figures.found) == (8_400, 0, {"less": 1})


def test_what_the_order_of_days_gives_one_claim_waits_until_the_others_less_is_decided(
    world: SimpleNamespace,
) -> None:
    both = (MORE, difference(Finding.LESS, 500, 100, "C2"))
    office = Office(per_1=person_year(*both, order=Order.BY_DAY))
    figures = Figures()
    assert [one.outcome for one in clear(office, figures)] == ["waits", "proposed"]
    assert [one.claim_number for one in office.items] == ["C2"] and world.revisions == []
    assert office.done[0].detail == "not paid yet: C1" and figures.waiting == 1
    # As decided nothing was taken from one for the other.
    other = Office(per_1=person_year(*both))
    assert [one.outcome for one in clear(other)] == ["version", "proposed"]


def test_at_most_five_claims_that_wait_are_named(world: SimpleNamespace) -> None:
    world.revised = False
    many = [difference(Finding.MORE, 1, 2, f"C{n}") for n in range(1, 8)]
    office = Office(per_1=person_year(*many))
    office.years["per_1"] = replace(
        office.years["per_1"], claims={f"C{n}": PAID for n in range(1, 8)}
    )
    figures = Figures()
    clear(office, figures)
    assert office.done[0].detail == "not paid yet: C1, C2, C3, C4, C5"
    assert figures.waiting == 7


@pytest.mark.parametrize("finding", [Finding.NO_RULE, Finding.LAYERS])
def test_other_layers_or_no_rule_are_noted_and_move_nothing(
    finding: Finding, world: SimpleNamespace
) -> None:
    office = Office(per_1=person_year(difference(finding, 500, 500)))
    figures = Figures()
    [told] = clear(office, figures)
    assert told.outcome == "noted" and world.revisions == [] and world.recoveries == []
    [kept] = office.items
    assert kept.history_snapshot == (None if finding is Finding.NO_RULE else '{"entries":[]}')
    assert figures.found == {str(finding): 1} and figures.more_fen == figures.less_fen == 0


# --- the same again -------------------------------------------------------------------------------


def test_a_difference_that_an_earlier_run_found_is_not_booked_again(
    world: SimpleNamespace,
) -> None:
    office = Office(per_1=person_year(LESS))
    office.item()
    figures = Figures()
    [told] = clear(office, figures)
    assert told == Found("C1", Finding.LESS, Order.DECIDED, 37_800, 29_400, "", is_new=False)
    assert len(office.items) == 1 and world.recoveries == []
    assert (figures.known, figures.found, figures.less_fen) == (1, {}, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"decision_version": 2}, {"finding": Finding.MORE}, {"before_fen": 1}, {"after_fen": 1},
        {"claim_id": "clm_2"},
    ],
)  # fmt: skip
def test_another_difference_is_another_row(changed: dict[str, Any], world: SimpleNamespace) -> None:
    office = Office(per_1=person_year(LESS, difference(Finding.SAME, 1, 1, "C2")))
    office.item(**changed)
    [told] = clear(office)
    assert told.is_new and len(office.items) == 2 and len(world.recoveries) == 1


# --- what is not so any more ----------------------------------------------------------------------


def order(name: str, state: State) -> Any:
    return SimpleNamespace(order=SimpleNamespace(id=name), state=state)


def stale(office: Office) -> Office:
    """An earlier run proposed to ask money back, and it waits for two people."""
    office.orders = {"cli_0": [order("R1", State.PROPOSED), order("R0", State.OPEN)]}
    office.alarms = {("recovery-proposed", "R1"): "", ("recovery-proposed", "R0"): ""}
    return office


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        (difference(Finding.SAME, 37_800, 37_800), {}),
        (LESS, {"before_fen": 37_801}),
        (LESS, {"after_fen": 29_401}),
        (LESS, {"decision_version": 2}),
    ],
)
def test_a_proposal_that_is_not_so_any_more_is_taken_back(
    found: Difference, changed: dict[str, Any]
) -> None:
    office = stale(Office(per_1=person_year(found, difference(Finding.SAME, 1, 1, "C2"))))
    office.item(**changed)
    clear(office)
    assert office.dismissals == [
        Dismissal("R1", "清算员甲", "清算重新计算，差额有变化", NOW)
    ]  # fmt: skip
    assert office.alarms == {("recovery-proposed", "R0"): ""}


def test_a_proposal_that_still_is_so_or_was_none_stays() -> None:
    office = stale(Office(per_1=person_year(LESS, difference(Finding.SAME, 1, 1, "C2"))))
    office.item()
    clear(office)
    assert office.dismissals == [] and len(office.alarms) == 2
    noted = stale(Office(per_1=person_year(difference(Finding.SAME, 1, 1),
                                           difference(Finding.SAME, 1, 1, "C2"))))  # fmt: skip
    noted.item("noted")
    clear(noted)
    assert noted.dismissals == []


def test_a_year_that_was_not_worked_out_takes_nothing_back() -> None:
    office = stale(Office(per_1=PersonYear("deferred", "open: C9" + "x" * 600, {}, None)))
    office.item()
    office.alarms[("clearing-again", "per_1:2025")] = "a fact came"
    figures = Figures()
    assert clear(office, figures) == []
    assert office.dismissals == [] and len(office.alarms) == 3
    assert office.done[0].detail == "open: C9" + "x" * 492, "500 characters"
    assert (figures.people, figures.claims) == ({"deferred": 1}, 0)


def test_who_was_cleared_again_is_not_to_be_cleared_again() -> None:
    office = Office()
    office.alarms = {("clearing-again", "per_1:2025"): "", ("clearing-again", "per_1:2024"): ""}
    clear(office)
    assert list(office.alarms) == [("clearing-again", "per_1:2024")]


def test_another_person_is_no_part_of_the_figures() -> None:
    figures = Figures()
    tell: Callable[[Found], None] = lambda found: None  # noqa: E731
    run.try_person(Office().deps, 2025, "per_1", figures, tell)
    run.try_person(Office().deps, 2025, "per_1", figures, tell)
    assert (figures.people, figures.claims) == ({"cleared": 2}, 4)
