"""The questions about an accident or a late filing on a page, a set of fields a bill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.domain.accident import (
    EXCUSE_TEXT_MAX,
    EXCUSES,
    MANNERS,
    OTHER_MAX,
    PLACES,
    STORY_MAX,
    UNDERTAKING,
    Accident,
    DeclarationError,
    Excuse,
    Undertaking,
    read_accident,
    read_excuse,
)
from backend.domain.local_time import local_day
from backend.service_layer.claims.accident import Needs, needs_of
from backend.service_layer.claims.declaration_records import FiledWith
from backend.service_layer.claims.records import StoredBill

_FIELDS = (
    "happened_on", "place", "manner", "story", "third_party", "at_work", "traffic",
    "other_party", "signed", "excuse", "excuse_text",
)  # fmt: skip
_TYPED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a page asks about one bill, with what was typed and what is wrong with it."""

    key: str
    needs: Needs
    typed: Mapping[str, str]
    today: dt.date
    faults: Mapping[str, str] = field(default_factory=dict)

    places: Mapping[str, str] = field(default_factory=lambda: PLACES)
    manners: Mapping[str, str] = field(default_factory=lambda: MANNERS)
    excuses: Mapping[str, str] = field(default_factory=lambda: EXCUSES)
    undertaking: Undertaking = UNDERTAKING
    story_max: int = STORY_MAX
    other_max: int = OTHER_MAX
    excuse_max: int = EXCUSE_TEXT_MAX

    @property
    def late_zh(self) -> str:
        """Why the bill is late, without the advice for after a refusal."""
        zh = "" if self.needs.late is None else self.needs.late.zh
        return (
            f"{zh.split('。', 1)[0]}。有正当理由的，请选一个，由工作人员核对；没有理由的会被退回。"
        )

    @property
    def late_en(self) -> str:
        """The same in English."""
        en = "" if self.needs.late is None else self.needs.late.en
        return (
            f"{en.split('. ', 1)[0].rstrip('.')}. With a good reason choose it below, and staff "
            "look at it; without one the bill is refused."
        )


def asks_of(deps: Any, bills: Iterable[StoredBill], form: Mapping[str, str]) -> dict[str, Ask]:
    """By invoice id, the questions that the bills need; most need none."""
    found = {}
    today = local_day(deps.clock.now())
    for bill in bills:
        needs = needs_of(deps, bill)
        if needs.is_accident or needs.late is not None:
            found[bill.invoice_id] = Ask(
                bill.invoice_id, needs, typed(form, bill.invoice_id), today
            )
    return found


def typed(form: Mapping[str, str], key: str) -> dict[str, str]:
    """What was typed into the fields of one bill, bounded."""
    return {name: form.get(f"{name}-{key}", "")[:_TYPED_MAX] for name in _FIELDS}


def filed_with(ask: Ask) -> FiledWith:
    """What was filed with one bill; raises :class:`DeclarationError` with every fault at once."""
    faults: dict[str, str] = {}
    accident: Accident | None = None
    excuse: Excuse | None = None
    if ask.needs.is_accident:
        try:
            accident = read_accident(ask.typed, ask.today)
        except DeclarationError as error:
            faults |= error.faults
    if ask.needs.late is not None:
        try:
            excuse = read_excuse(ask.typed["excuse"], ask.typed["excuse_text"])
        except DeclarationError as error:
            faults |= error.faults
    if faults:
        raise DeclarationError(faults)
    return FiledWith(accident, excuse)
