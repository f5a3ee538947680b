"""Review cases with their steps, parts, draws, findings and rulings."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from backend.adapters.database.tables import (
    claim,
    line_ruling,
    review_case,
    review_draw,
    review_finding,
    review_look,
    review_participant,
    review_release,
    review_resolution,
    review_step,
)
from backend.adapters.identifiers import RandomIds
from backend.domain.claim import UNDECIDED_STATES, ClaimState
from backend.domain.errors import NotFoundError
from backend.domain.review import CaseKind, CaseState, Outcome, Risk, StepName
from backend.domain.ruling import LineRuling, parse_rulings
from backend.service_layer.review.ports import CaseChangedError, TwoStepsError
from backend.service_layer.review.records import (
    OPEN_STEPS_MAX,
    Case,
    Draw,
    OpenStep,
    Release,
    Resolution,
    Step,
    StepFinding,
)
from verifier.commitment.canonical import canonical_bytes


class ReviewRepository:
    """Reads and writes of the review tables in one transaction."""

    def __init__(self, connection: sa.Connection, clock: Any = None) -> None:
        self._connection = connection

    # --- cases and steps -------------------------------------------------------------------

    def add_case(self, case: Case) -> None:
        """Raises :class:`CaseChangedError` when the claim has a live case of the kind."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(review_case.insert().values(_values(case)))
        except sa.exc.IntegrityError as error:
            raise CaseChangedError from error

    def get_case(self, case_id: str, *, lock: bool = False) -> Case:
        query = sa.select(review_case).where(review_case.c.id == case_id)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFoundError("没有这个案件", "there is no such case")
        return _case(row)

    def live_case(self, claim_id: str, kind: CaseKind) -> Case | None:
        found = [case for case in self.live_cases_of(claim_id) if case.kind is kind]
        return found[0] if found else None

    def live_cases_of(self, claim_id: str) -> list[Case]:
        return [case for case in self.cases_of(claim_id) if not case.is_closed]

    def cases_of(self, claim_id: str) -> list[Case]:
        rows = self._connection.execute(
            sa.select(review_case)
            .where(review_case.c.claim_id == claim_id)
            .order_by(review_case.c.ordinal)
        )
        return [_case(row) for row in rows]

    def next_ordinal(self, claim_id: str) -> int:
        found = self._connection.execute(
            sa.select(sa.func.max(review_case.c.ordinal)).where(review_case.c.claim_id == claim_id)
        ).scalar()
        return 1 + int(found or 0)

    def update_case(self, case_id: str, **values: Any) -> None:
        self._connection.execute(
            review_case.update().where(review_case.c.id == case_id).values(_plain(values))
        )

    def add_step(self, step: Step) -> None:
        self._connection.execute(review_step.insert().values(_values(step)))

    def steps_of(self, case_id: str) -> list[Step]:
        rows = self._connection.execute(
            sa.select(review_step)
            .where(review_step.c.case_id == case_id)
            .order_by(review_step.c.position)
        )
        return [_step(row) for row in rows]

    def update_step(self, case_id: str, step: StepName, **values: Any) -> None:
        self._connection.execute(
            review_step.update()
            .where(review_step.c.case_id == case_id, review_step.c.step == str(step))
            .values(values)
        )

    # --- parts: one a person and case --------------------------------------------------------

    def parts_of(self, case_id: str) -> dict[str, str]:
        """The part of each person in the case."""
        rows = self._connection.execute(
            sa.select(review_participant.c.staff_id, review_participant.c.part).where(
                review_participant.c.case_id == case_id
            )
        )
        return {row.staff_id: row.part for row in rows}

    def part_of(self, case_id: str, staff_id: str) -> str | None:
        return self.parts_of(case_id).get(staff_id)

    def add_part(self, case_id: str, staff_id: str, part: str, at: dt.datetime) -> None:
        """Give a person a part; again the same one is harmless. Raises :class:`TwoStepsError`
        when the database knows another part of that person."""
        if self.part_of(case_id, staff_id) == part:
            return
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    review_participant.insert().values(
                        case_id=case_id, staff_id=staff_id, part=part, since=at
                    )
                )
        except sa.exc.IntegrityError as error:
            raise TwoStepsError from error

    # --- draws and releases ------------------------------------------------------------------

    def add_draw(self, draw: Draw) -> None:
        values = _values(draw)
        values["candidates"] = json.dumps([list(entry) for entry in draw.candidates])
        self._connection.execute(review_draw.insert().values(values))

    def draws_of(self, case_id: str) -> list[Draw]:
        rows = self._connection.execute(
            sa.select(review_draw)
            .where(review_draw.c.case_id == case_id)
            .order_by(review_draw.c.drawn_at, review_draw.c.id)
        )
        return [_draw(row) for row in rows]

    def draw_of_request(self, staff_id: str, request_key: str) -> Draw | None:
        row = self._connection.execute(
            sa.select(review_draw).where(
                review_draw.c.chosen_id == staff_id, review_draw.c.request_key == request_key
            )
        ).first()
        return None if row is None else _draw(row)

    def add_release(self, release: Release) -> None:
        self._connection.execute(review_release.insert().values(_values(release)))

    def releases_of(self, case_id: str) -> list[Release]:
        rows = self._connection.execute(
            sa.select(review_release)
            .where(review_release.c.case_id == case_id)
            .order_by(review_release.c.released_at, review_release.c.id)
        )
        return [Release(**{**row._mapping, "step": StepName(row.step)}) for row in rows]

    # --- findings, resolutions, rulings --------------------------------------------------------

    def add_finding(self, finding: StepFinding) -> None:
        """Raises :class:`CaseChangedError` when the step has a finding, and
        :class:`TwoStepsError` when the step is not that person's part."""
        values = _values(finding)
        values["rulings"] = _rulings_text(finding.rulings)
        if self.part_of(finding.case_id, finding.staff_id) != finding.step:
            raise TwoStepsError
        try:
            with self._connection.begin_nested():
                self._connection.execute(review_finding.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise CaseChangedError from error

    def findings_of(self, case_id: str) -> list[StepFinding]:
        rows = self._connection.execute(
            sa.select(review_finding)
            .join(
                review_step,
                sa.and_(
                    review_step.c.case_id == review_finding.c.case_id,
                    review_step.c.step == review_finding.c.step,
                ),
            )
            .where(review_finding.c.case_id == case_id)
            .order_by(review_step.c.position)
        )
        return [
            StepFinding(
                **{
                    **row._mapping,
                    "step": StepName(row.step),
                    "outcome": Outcome(row.outcome),
                    "rulings": parse_rulings(json.loads(row.rulings)),
                }
            )
            for row in rows
        ]

    def earlier_finders(self, claim_id: str) -> list[str]:
        """Everybody who gave a finding in a case of the claim."""
        rows = self._connection.execute(
            sa.select(review_finding.c.staff_id)
            .join(review_case, review_case.c.id == review_finding.c.case_id)
            .where(review_case.c.claim_id == claim_id)
            .distinct()
            .order_by(review_finding.c.staff_id)
        )
        return list(rows.scalars())

    def add_resolution(self, resolution: Resolution) -> None:
        values = _values(resolution)
        values["rulings"] = _rulings_text(resolution.rulings)
        self._connection.execute(review_resolution.insert().values(values))

    def resolutions_of(self, case_id: str) -> list[Resolution]:
        rows = self._connection.execute(
            sa.select(review_resolution)
            .where(review_resolution.c.case_id == case_id)
            .order_by(review_resolution.c.resolved_at, review_resolution.c.pend_id)
        )
        return [
            Resolution(
                **{
                    **row._mapping,
                    "step": StepName(row.step),
                    "rulings": parse_rulings(json.loads(row.rulings)),
                }
            )
            for row in rows
        ]

    def add_rulings(
        self, case: Case, rulings: Sequence[LineRuling], by: str, at: dt.datetime
    ) -> None:
        """Put the rulings of a decided case in force."""
        for position, ruling in enumerate(rulings):
            self._connection.execute(
                line_ruling.insert().values(
                    id=RandomIds().new_id("rul"),
                    claim_id=case.claim_id,
                    case_id=case.id,
                    position=position,
                    line_index=ruling.line_index,
                    record=canonical_bytes(ruling.to_record()).decode(),
                    ruled_by=by,
                    ruled_at=at,
                )
            )

    # --- lists and figures ---------------------------------------------------------------------

    def open_steps(
        self, *, holder_id: str | None = None, unheld: bool = False, limit: int = OPEN_STEPS_MAX
    ) -> list[OpenStep]:
        """Steps that are not finished, the most urgent first: by day due, then priority."""
        of_case = [column.label(f"of_case_{column.name}") for column in review_case.c]
        query = (
            sa.select(review_step, claim.c.number.label("claim_number"), *of_case)
            .join(review_case, review_case.c.id == review_step.c.case_id)
            .join(claim, claim.c.id == review_case.c.claim_id)
            .where(
                review_step.c.finished_at.is_(None),
                review_case.c.state != str(CaseState.CLOSED),
            )
            .order_by(review_case.c.due_on, review_case.c.priority, review_case.c.opened_at)
            .order_by(review_case.c.id)
            .limit(limit)
        )
        if holder_id is not None:
            query = query.where(review_step.c.holder_id == holder_id)
        if unheld:
            query = query.where(
                review_step.c.holder_id.is_(None), review_case.c.state == str(CaseState.OPEN)
            )
        rows = self._connection.execute(query).all()
        return [OpenStep(_case(row, "of_case_"), _step(row), row.claim_number) for row in rows]

    def loads(self) -> Mapping[str, int]:
        """How many unfinished steps each person holds."""
        rows = self._connection.execute(
            sa.select(review_step.c.holder_id, sa.func.count())
            .join(review_case, review_case.c.id == review_step.c.case_id)
            .where(
                review_step.c.finished_at.is_(None),
                review_step.c.holder_id.is_not(None),
                review_case.c.state != str(CaseState.CLOSED),
            )
            .group_by(review_step.c.holder_id)
        )
        return {row[0]: row[1] for row in rows}

    def claims_without_case(self, limit: int = 100) -> list[str]:
        """Pended claims that nobody was asked about yet."""
        live = (
            sa.select(review_case.c.id)
            .where(
                review_case.c.claim_id == claim.c.id,
                review_case.c.kind == str(CaseKind.CLAIM),
                review_case.c.state != str(CaseState.CLOSED),
            )
            .exists()
        )
        rows = self._connection.execute(
            sa.select(claim.c.id)
            .where(claim.c.state == str(ClaimState.PENDED), ~live)
            .order_by(claim.c.created_at, claim.c.id)
            .limit(limit)
        )
        return list(rows.scalars())

    def overtaken_cases(self, limit: int = 100) -> list[str]:
        """Live cases of claims that are decided already."""
        undecided = [str(state) for state in UNDECIDED_STATES]
        rows = self._connection.execute(
            sa.select(review_case.c.id)
            .join(claim, claim.c.id == review_case.c.claim_id)
            .where(
                review_case.c.kind == str(CaseKind.CLAIM),
                review_case.c.state != str(CaseState.CLOSED),
                claim.c.state.not_in(undecided),
            )
            .order_by(review_case.c.opened_at)
            .limit(limit)
        )
        return list(rows.scalars())

    def add_look(self, look_id: str, case_id: str, who: str, what: str, at: dt.datetime) -> None:
        self._connection.execute(
            review_look.insert().values(
                id=look_id, case_id=case_id, staff_id=who, what=what[:60], looked_at=at
            )
        )

    def counts(self) -> dict[str, int]:
        """How many cases are in each state."""
        rows = self._connection.execute(
            sa.select(review_case.c.state, sa.func.count()).group_by(review_case.c.state)
        )
        return {row[0]: row[1] for row in rows}

    def outcomes(self) -> list[tuple[str, str, str, str, int]]:
        """(kind, risk, queue, outcome, number) of closed cases."""
        group = (
            review_case.c.kind, review_case.c.risk, review_case.c.queue, review_case.c.outcome
        )  # fmt: skip
        rows = self._connection.execute(
            sa.select(*group, sa.func.count())
            .where(review_case.c.state == str(CaseState.CLOSED))
            .group_by(*group)
            .order_by(*group)
        )
        return [(row[0], row[1], row[2], row[3] or "", row[4]) for row in rows]

    def findings_by_staff(self) -> dict[str, int]:
        """How many steps each person has finished."""
        rows = self._connection.execute(
            sa.select(review_finding.c.staff_id, sa.func.count()).group_by(
                review_finding.c.staff_id
            )
        )
        return {row[0]: row[1] for row in rows}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    enums = (CaseKind, CaseState, Outcome, Risk, StepName)
    return {k: str(v) if isinstance(v, enums) else v for k, v in values.items()}


def _values(entry: Any) -> dict[str, Any]:
    return _plain({name: getattr(entry, name) for name in entry.__dataclass_fields__})


def _rulings_text(rulings: Sequence[LineRuling]) -> str:
    return json.dumps([ruling.to_record() for ruling in rulings], ensure_ascii=False)


def _case(row: Any, prefix: str = "") -> Case:
    values = {name: getattr(row, prefix + name) for name in Case.__dataclass_fields__}
    return Case(
        **{
            **values,
            "kind": CaseKind(values["kind"]),
            "risk": Risk(values["risk"]),
            "state": CaseState(values["state"]),
        }
    )


def _step(row: Any) -> Step:
    values = {name: getattr(row, name) for name in Step.__dataclass_fields__}
    return Step(**{**values, "step": StepName(row.step)})


def _draw(row: Any) -> Draw:
    return Draw(
        **{
            **row._mapping,
            "step": StepName(row.step),
            "seed": bytes(row.seed),
            "candidates": tuple((entry[0], entry[1]) for entry in json.loads(row.candidates)),
        }
    )
