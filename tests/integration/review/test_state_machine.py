"""Any order of acts by anybody: what must hold of cases holds after each of them."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backend.adapters.clock import SetClock
from backend.domain.claim import ClaimState
from backend.domain.errors import DomainError
from backend.domain.review import HIGH_RISK_STEPS, Outcome
from backend.service_layer.review import assignment, decide, material
from backend.service_layer.review.decide import Partial, Verdict
from backend.service_layer.review.records import Staff
from tests.integration.claims.world import HOSPITAL, World
from tests.integration.review.office import Office

pytestmark = pytest.mark.slow
#: Somebody, or whoever holds the open step.
PEOPLE = st.one_of(st.none(), st.none(), st.integers(0, 6))
OUTCOMES = st.sampled_from(list(Outcome))


class Cases(RuleBasedStateMachine):
    """One pended claim and seven people, two of them supervisors, one of the bill's hospital."""

    @initialize(is_high=st.booleans(), is_large=st.booleans())
    def begin(self, is_high: bool, is_large: bool) -> None:
        self.office = Office(World.make(Path(tempfile.mkdtemp(prefix="yichu-review-"))))
        self.office.limits(
            high_risk_priority=5 if is_high else 0,
            second_approver_above_fen=0 if is_large else 10**9,
        )
        self.is_high, self.is_large = is_high, is_large
        for index in range(7):
            self.office.staff(
                f"人{index}",
                role="supervisor" if index in (4, 5) else "reviewer",
                hospital_code=HOSPITAL if index == 6 else None,
            )
        self.claim = self.office.pended(payer_name="测试丁卯")
        self.office.sweep()
        self.told: set[str] = set()

    def try_it(self, act: object) -> None:
        assert callable(act)
        try:
            act()
        except DomainError as error:
            self.told.add(error.code)

    def person(self, who: int | None) -> Staff:
        if who is not None:
            return self.office.people[who]
        self.office.sweep()
        with self.office.world.services.work(write=False) as work:
            holder = work.reviews.steps_of(self.case_id)[-1].holder_id
        return next((p for p in self.office.people if p.id == holder), self.office.people[0])

    @property
    def case_id(self) -> str:
        return self.office.case_of(self.claim).id

    @rule(who=PEOPLE, outcome=OUTCOMES)
    def find(self, who: int | None, outcome: Outcome) -> None:
        person, verdict = self.person(who), Verdict(outcome, "看过了")
        services = self.office.world.services
        self.try_it(lambda: decide.find(services, self.case_id, person.id, verdict))

    @rule(who=PEOPLE)
    def resolve(self, who: int | None) -> None:
        services, person = self.office.world.services, self.person(who)
        with services.work(write=False) as work:
            ids = tuple(pend.id for pend in work.claims.pends_of(self.claim.id))
        self.try_it(
            lambda: decide.resolve(services, self.case_id, person.id, Partial(ids, "已核对"))
        )

    @rule(who=PEOPLE)
    def decline(self, who: int | None) -> None:
        services, person = self.office.world.services, self.person(who)
        self.try_it(lambda: assignment.decline(services, self.case_id, person.id, "没时间"))

    @rule(who=PEOPLE, key=st.integers(0, 3))
    def ask_for_work(self, who: int | None, key: int) -> None:
        services, person = self.office.world.services, self.person(who)
        self.try_it(lambda: assignment.next_for(services, person, f"key-{who}-{key}"))

    @rule(who=PEOPLE)
    def ask_the_citizen(self, who: int | None) -> None:
        services, person = self.office.world.services, self.person(who)
        self.try_it(lambda: material.ask(services, self.case_id, person.id, "病历", "record"))

    @rule()
    def citizen_answers(self) -> None:
        services, person = self.office.world.services, self.office.world.people[0]
        with services.work(write=False) as work:
            asked = work.material.open_request_of_claim(self.claim.id)
        if asked is not None:
            self.try_it(lambda: material.answer(services, person.id, asked.id, "已交", []))

    @rule(who=PEOPLE, days=st.integers(0, 2))
    def go_away(self, who: int | None, days: int) -> None:
        services, person = self.office.world.services, self.person(who)
        until = services.clock.now()
        assignment.set_away(services, person.id, until + dt.timedelta(days=days))

    @rule(days=st.integers(1, 12))
    def time_passes(self, days: int) -> None:
        clock = self.office.world.services.clock
        assert isinstance(clock, SetClock)
        clock.advance(days * 86_400)
        self.office.sweep()

    @rule()
    def worker_runs(self) -> None:
        self.office.sweep()
        self.office.world.run()

    @invariant()
    def nobody_has_two_steps_and_nobody_of_the_hospital_has_one(self) -> None:
        with self.office.world.services.work(write=False) as work:
            findings = work.reviews.findings_of(self.case_id)
            parts = work.reviews.parts_of(self.case_id)
            steps = work.reviews.steps_of(self.case_id)
        finders = [one.staff_id for one in findings]
        assert len(set(finders)) == len(finders)
        assert all(parts[one.staff_id] == one.step for one in findings)
        assert self.office.people[6].id not in parts
        assert [s.step for s in steps if s.finished_at] == [one.step for one in findings]
        assert sum(step.finished_at is None for step in steps) == (
            0 if self.office.case_of(self.claim).is_closed else 1
        )

    @invariant()
    def it_is_decided_by_as_many_as_it_needs_and_as_the_last_found(self) -> None:
        case = self.office.case_of(self.claim)
        claim = self.office.world.claim(self.claim.id)
        with self.office.world.services.work(write=False) as work:
            findings = work.reviews.findings_of(case.id)
            pends = work.claims.pends_of(claim.id)
            requests = work.material.requests_of(case.id)
        assert len(requests) <= 2
        if not case.is_closed:
            assert claim.state is ClaimState.PENDED
            assert all(pend.resolved_at is None for pend in pends)
            assert (claim.waiting_for == "citizen") == (case.state == "waiting")
            return
        assert case.outcome == findings[-1].outcome
        assert all(pend.resolved_at is not None for pend in pends)
        assert claim.state is not ClaimState.PENDED
        if self.is_high:
            assert [one.step for one in findings] == list(HIGH_RISK_STEPS)
        elif self.is_large:
            outcomes = [one.outcome for one in findings]
            assert len(findings) == (2 if outcomes[0] == outcomes[1] else 3)
        else:
            assert len(findings) == 1

    def teardown(self) -> None:
        if hasattr(self, "office"):
            self.office.world.services.engine.dispose()


TestCases = Cases.TestCase
TestCases.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
