"""The worker's look at recoveries: one failure stops no other, alarms end, leads are closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import ConflictError
from backend.domain.supervision import StepKind, SubjectKind
from backend.service_layer.recovery import run

NOW = dt.datetime(2026, 11, 19, 16, 30, tzinfo=dt.UTC)  # half past midnight of the 20th here
TODAY = dt.date(2026, 11, 20)


class Office:
    """What the tables hold; what is written counts when it is committed."""

    def __init__(self, **tables: Any) -> None:
        self.tables: dict[str, Any] = {
            "withdrawn_claims": [], "ordered_leads": [], "lowered": [],
            "of_findings_set_aside": [], "owed": [], "refused_on_ledger": [],
            "leads_to_close": [], "cursor": None,
        } | tables  # fmt: skip
        self.open: dict[tuple[str, str], str] = {}
        self.closed: list[Any] = []
        self.cursors: list[int] = []
        self.orders: list[Any] = []
        self.lead = SimpleNamespace(source_reference="ref_1", subject_kind=SubjectKind.CLAIM)
        self.steps: list[Any] = [SimpleNamespace(amount_fen=None)]
        self.commits = 0
        self.wrote = 0

    @property
    def deps(self) -> Any:
        return SimpleNamespace(work=self._work, clock=SimpleNamespace(now=lambda: NOW))

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        self.wrote += write
        return self

    def __enter__(self) -> Any:
        def of_lead(*asked: str) -> list[Any]:
            return self.orders if asked == ("led_1", "ref_1") else []

        def get(name: str, *, lock: bool) -> Any:
            assert (name, lock) == ("led_1", True)
            return self.lead

        answers = {name: (lambda kept=kept: kept) for name, kept in self.tables.items()}
        return SimpleNamespace(
            recoveries=SimpleNamespace(
                **answers, of_lead=of_lead, set_cursor=self.cursors.append
            ),
            reconciliation=SimpleNamespace(
                holding_alarms=lambda codes: [one for one in self.open if one[0] in codes]
            ),
            alarms=SimpleNamespace(
                raise_alarm=lambda code, subject, detail: self.open.update(
                    {(code, subject): detail}
                ),
                clear=lambda code, subject: self.open.pop((code, subject)),
            ),
            leads=SimpleNamespace(
                get=get,
                steps_of=lambda name: self.steps,
                close_recovered=lambda name, step: self.closed.append((name, step)),
            ),
            commit=self.commit,
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1


@pytest.fixture(autouse=True)
def acts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is done for whom, in its order; a subject named odd fails."""
    done: list[tuple[Any, ...]] = []

    def acting(name: str) -> Callable[..., bool]:
        def act(deps: Any, *subject: Any) -> bool:
            assert deps.clock.now() == NOW
            done.append((name, *(getattr(one, "id", one) for one in subject)))
            if "damaged" in done[-1]:
                raise ValueError("not a number")
            if "odd" in done[-1]:
                raise ConflictError("冲突", "it is booked otherwise")
            return "same" not in done[-1]

        return act

    for name in (
        "settle_withdrawn", "open_of_lead", "propose_of_revision", "ask_waiver_of_set_aside",
    ):  # fmt: skip
        monkeypatch.setattr(run, name, acting(name))
    monkeypatch.setattr(run, "retry_recoveries", lambda deps: [])
    return done


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The named points that were reached, at which the tests of kills end the process."""
    reached: list[str] = []
    monkeypatch.setattr(run, "reach", reached.append)
    return reached


def test_everything_that_waits_is_looked_at_and_one_failure_stops_nobody_else(
    acts: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(
        withdrawn_claims=["clm_1", "damaged", "same"],
        ordered_leads=[SimpleNamespace(id="odd"), SimpleNamespace(id="led_2")],
        lowered=[SimpleNamespace(id="rev_1")],
        of_findings_set_aside=[("rec_1", "withdrawn"), ("rec_2", "odd")],
    )
    lines = [SimpleNamespace(verdict=verdict) for verdict in ("adopted", "case", "adopted")]
    monkeypatch.setattr(run, "retry_recoveries", lambda deps: lines if deps.work else [])
    # One claim, one lead, one revision, one order set aside, and two of a restored backup.
    assert run.recovery_pass(office.deps) == 6
    assert acts == [
        ("settle_withdrawn", "clm_1"), ("settle_withdrawn", "damaged"),
        ("settle_withdrawn", "same"), ("open_of_lead", "odd"), ("open_of_lead", "led_2"),
        ("propose_of_revision", "rev_1"), ("ask_waiver_of_set_aside", "rec_1", "withdrawn"),
        ("ask_waiver_of_set_aside", "rec_2", "odd"),
    ]  # fmt: skip
    assert office.open == {
        ("recovery-step-failed", "damaged"): "ValueError",
        ("recovery-step-failed", "odd"): "conflict",
        ("recovery-step-failed", "rec_2"): "conflict",
    }
    assert office.commits == office.wrote == 3, "what is looked at is read alone"


def owed(name: str, due: tuple[dt.date, int] | None) -> Any:
    return SimpleNamespace(order=SimpleNamespace(id=name), due=lambda: due)


def test_an_instalment_is_late_from_the_day_after_it_was_due_by_the_day_of_shanghai() -> None:
    office = Office(
        owed=[
            owed("rec_1", (TODAY - dt.timedelta(days=1), 700)), owed("rec_2", (TODAY, 800)),
            owed("rec_3", None),
        ],
        refused_on_ledger=[("rec_4", "locked")],
    )  # fmt: skip
    assert run.recovery_pass(office.deps) == 1
    assert office.open == {
        ("recovery-overdue", "rec_1"): "due 2026-11-19: 700 fen",
        ("recovery-refused", "rec_4"): "the ledger refused it: locked",
    }
    assert run.recovery_pass(office.deps) == 0 and office.commits == 1, "it is said already"


def test_what_is_late_no_more_is_no_alarm_and_others_stay() -> None:
    office = Office(owed=[owed("rec_2", (TODAY - dt.timedelta(days=2), 5))])
    office.open = {
        ("recovery-overdue", "rec_1"): "", ("recovery-refused", "rec_1"): "", ("other", "x"): "",
    }  # fmt: skip
    assert run.recovery_pass(office.deps) == 1
    assert office.open == {
        ("other", "x"): "", ("recovery-overdue", "rec_2"): "due 2026-11-18: 5 fen",
    }  # fmt: skip


# --- leads ----------------------------------------------------------------------------------------


def order(fen: int, received: int, *, is_over: bool = True) -> Any:
    return SimpleNamespace(
        order=SimpleNamespace(amount_fen=fen),
        received_fen=received,
        state=SimpleNamespace(is_over=is_over),
    )


@pytest.fixture
def closing(monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(run, "state_of", lambda steps: "recovery-ordered")
    office = Office(leads_to_close=["led_1"])
    office.orders = [order(500, 500), order(300, 100)]
    return office


def test_a_lead_whose_money_is_over_is_closed_with_what_came_back(
    closing: Office, points: list[str]
) -> None:
    assert run.recovery_pass(closing.deps) == 1
    ((name, step),) = closing.closed
    assert name == "led_1" and (step.ordinal, step.kind, step.by, step.part) == (
        2, StepKind.RECOVERED, "system:recovery", None,
    )  # fmt: skip
    assert step.reason == "追回 600 分，应追 800 分 / 600 of 800 fen came back"
    assert (step.at, step.on) == (NOW, TODAY) and closing.commits == closing.wrote == 1
    assert points == ["recovery.lead-closed"]


def test_a_lead_with_money_still_owed_stays_open(closing: Office) -> None:
    closing.orders.append(order(1, 0, is_over=False))
    assert run.recovery_pass(closing.deps) == 0
    assert closing.closed == [] and closing.commits == 0


def test_a_lead_in_another_state_stays_as_it_is(
    closing: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "state_of", lambda steps: "closed")
    assert run.recovery_pass(closing.deps) == 0 and closing.closed == []


@pytest.mark.parametrize(("found", "closes"), [(801, 0), (800, 1), (None, 1)])
def test_an_institutions_lead_waits_until_all_of_it_is_laid_on_claims(
    closing: Office, found: int | None, closes: int
) -> None:
    closing.lead.subject_kind = SubjectKind.INSTITUTION
    closing.steps = [SimpleNamespace(amount_fen=found)]
    assert run.recovery_pass(closing.deps) == closes == len(closing.closed)


# --- bills withdrawn on the ledger ----------------------------------------------------------------


class Node:
    def __init__(self, final: int, *events: tuple[str, str, str]) -> None:
        self.final = final
        self.all = [
            SimpleNamespace(call=call, outcome=outcome, bill=bill) for call, outcome, bill in events
        ]
        self.asked: list[tuple[int, int]] = []

    def deployment(self) -> Any:
        return SimpleNamespace(block_number=40)

    def final_number(self) -> int:
        return self.final

    def events(self, first: int, last: int) -> list[Any]:
        self.asked.append((first, last))
        return self.all


def test_what_an_institution_withdraws_on_the_ledger_is_adopted_and_an_alarm(
    monkeypatch: pytest.MonkeyPatch, points: list[str]
) -> None:
    adopted: list[str] = []

    def adopt(work: Any, event: Any) -> Any:
        assert work.alarms, "within the transaction that keeps the cursor"
        adopted.append(event.bill)
        verdict = "agrees" if event.bill == "known" else "adopted"
        return SimpleNamespace(verdict=verdict, detail=event.bill)

    monkeypatch.setattr(run, "adopt_bill_event", adopt)
    office = Office()
    node = Node(
        50, ("void", "done", "inv_1"), ("reverse", "done", "inv_2"), ("void", "stale", "inv_3"),
        ("settle", "done", "inv_4"), ("void", "done", "known"),
    )  # fmt: skip
    assert run.follow_withdrawals(office.deps, node) == 11
    assert node.asked == [(40, 50)] and office.cursors == [50] and office.commits == 1
    assert adopted == ["inv_1", "inv_2", "known"] and points == ["recovery.withdrawals-read"]
    assert office.open == {
        ("bill-withdrawn-on-ledger", "inv_1"): "void by its institution",
        ("bill-withdrawn-on-ledger", "inv_2"): "reverse by its institution",
    }


def test_at_most_2000_blocks_are_read_in_one_pass_after_the_last_one() -> None:
    office, node = Office(cursor=100), Node(10_000)
    assert run.follow_withdrawals(office.deps, node) == 2_000
    assert node.asked == [(101, 2_100)] and office.cursors == [2_100]


@pytest.mark.parametrize(("final", "read"), [(100, 0), (99, 0), (101, 1)])
def test_without_a_new_final_block_nothing_is_read(final: int, read: int) -> None:
    office, node = Office(cursor=100), Node(final)
    assert run.follow_withdrawals(office.deps, node) == read
    assert len(node.asked) == len(office.cursors) == office.commits == read
