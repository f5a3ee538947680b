"""A lead with the people who walk it, on a small world whose clock is moved by days."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from backend.adapters.clock import SetClock
from backend.domain.points import Booking, Responsibility
from backend.domain.supervision import Source, State, StepKind, SubjectKind
from backend.service_layer.supervision.cases import Act, take_step
from backend.service_layer.supervision.lead_reading import LeadView, view
from backend.service_layer.supervision.lead_records import Subject
from backend.service_layer.supervision.leads import open_lead
from backend.service_layer.supervision.points import NewPoints, book_points
from tests.integration.claims.world import HOSPITAL, World

REPORTER, FINDER, DECIDER, CLERK = "报告人", "认定人", "复核人", "文员"
DOCTOR = "D330802000001"
CLOSED_DAYS = 40  # calendar days: past any ten working days


@dataclass
class CaseFile:
    world: World

    @property
    def services(self) -> Any:
        return self.world.services

    def open(self, by: str = REPORTER, reference: str = "") -> str:
        with self.services.work() as work:
            lead = open_lead(
                self.services,
                work,
                Source.REPORT,
                Subject(SubjectKind.INSTITUTION, HOSPITAL),
                "同一项目反复收费",
                by=by,
                source_reference=reference,
            )
            work.commit()
        return lead.id

    def do(self, lead_id: str, kind: StepKind, by: str = CLERK, *rest: Any) -> State:
        take_step(self.services, lead_id, Act(kind, by, f"理由 {kind}", *rest))
        return self.view(lead_id).state

    def view(self, lead_id: str) -> LeadView:
        return view(self.services, lead_id)

    def days(self, count: int = CLOSED_DAYS) -> None:
        clock = self.services.clock
        assert isinstance(clock, SetClock)
        clock.advance(dt.timedelta(days=count).total_seconds())

    def found(self, fen: int = 20_110_000) -> str:
        """A lead with a substantiated finding, just made."""
        lead_id = self.open()
        self.do(lead_id, StepKind.ASKED)
        self.do(lead_id, StepKind.ANSWERED)
        self.do(lead_id, StepKind.FOUND, FINDER, "substantiated", fen)
        return lead_id

    def final(self) -> str:
        """... whose time for an appeal has passed."""
        lead_id = self.found()
        self.days()
        return lead_id

    def book(self, lead_id: str, points: int = 9, by: str = CLERK, **change: Any) -> Booking:
        values = {
            "person_code": DOCTOR,
            "act": "重复收费并负主要责任",
            "band": "7-9",
            "responsibility": Responsibility.MAIN,
            "reason": "认定已生效",
            **change,
        }
        scale = self.services.point_scale(self.services.clock.now().date())
        return book_points(self.services, lead_id, NewPoints(points=points, **values), scale, by=by)
