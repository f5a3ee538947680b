"""A picture has no data: one clerk types the bill, another compares it with the picture.

Typed is the JSON form that hospitals send (docs/api.md). Whoever compares either finds that the
typed bill is the picture's, or types it as well; then every difference is shown, and the newer
version waits for somebody else again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from backend.domain.invoice import Invoice
from backend.service_layer.intake.validation import find_faults
from backend.service_layer.outside.errors import TranscriptError
from backend.service_layer.outside.hands import (
    add_step,
    require_new_hand,
    require_state,
    same_person,
    sign_as,
)
from backend.service_layer.outside.matching import (
    end_by_fact,
    judge,
    keys_of,
    note_gap,
    refuse_unclaimable,
)
from backend.service_layer.outside.records import OutsideBill, OutsideState, StepKind
from backend.service_layer.outside.services import OutsideServices
from verifier.commitment.canonical import canonical_bytes

DIFFERENCES_MAX: Final = 200
#: Of what the document itself states, these are typed besides; everything else must agree.
_TYPED_ONLY: Final = frozenset({"lines", "items", "institution_code", "attachments"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two versions of a bill say different things; None where one says nothing."""

    path: str
    first: Any
    second: Any

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "first": self.first, "second": self.second}


@dataclass(frozen=True, slots=True)
class Compared:
    """``differences`` is empty when the two agree; the bill then goes on to be checked."""

    bill: OutsideBill
    differences: tuple[Difference, ...]


def differences_of(first: Any, second: Any, path: str = "") -> Iterator[Difference]:
    """Every place where two records differ, in the order of their paths."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted({*first, *second}):
            yield from differences_of(first.get(name), second.get(name), f"{path}/{name}")
    elif isinstance(first, list) and isinstance(second, list):
        for index in range(max(len(first), len(second))):
            one = first[index] if index < len(first) else None
            other = second[index] if index < len(second) else None
            yield from differences_of(one, other, f"{path}/{index}")
    elif first != second:
        yield Difference(path, first, second)


def type_bill(deps: OutsideServices, bill_id: str, document: bytes, by: str) -> OutsideBill:
    """Store what a clerk typed. Raises TranscriptError with every fault of it."""
    with deps.work() as work:
        by = sign_as(work, by, "typed")
        bill: OutsideBill = work.outside.get(bill_id, lock=True)
        require_state(bill, OutsideState.TYPING)
        require_new_hand(work, bill, StepKind.TYPE, by)
        record = _read_typed(deps, work, bill, document)
        typed = _with_record(deps, bill, record, OutsideState.COMPARING)
        work.outside.update(typed, bill.state)
        add_step(deps, work, bill, StepKind.TYPE, "done", by=by, content={"record": record})
        work.commit()
    return typed


def compare_bill(
    deps: OutsideServices, bill_id: str, by: str, document: bytes | None = None
) -> Compared:
    """The second pair of eyes: ``document`` None says that the typed bill is the picture's.

    Where they agree the number is taken, and the bill goes on to be checked, or ends by an exact
    fact (the number is here already, its hospital uploads itself).
    """
    with deps.work() as work:
        by = sign_as(work, by, "compared")
        bill: OutsideBill = work.outside.get(bill_id, lock=True)
        require_state(bill, OutsideState.COMPARING)
        _require_other_typist(work, bill, by)
        first = json.loads(bill.record or "{}")
        second = first if document is None else _read_typed(deps, work, bill, document)
        found = tuple(differences_of(first, second))[:DIFFERENCES_MAX]
        content = {"differences": [one.to_json() for one in found]}
        if found:
            changed = _with_record(deps, bill, second, OutsideState.COMPARING)
            work.outside.update(changed, bill.state)
            add_step(deps, work, bill, StepKind.TYPE, "differs", by=by,
                     content=content | {"record": second})  # fmt: skip
        else:
            add_step(deps, work, bill, StepKind.COMPARE, "agrees", by=by, content=content)
            _take_number(deps, work, bill, Invoice.from_record(second))
        stored: OutsideBill = work.outside.get(bill.id)
        work.commit()
    return Compared(stored, found)


def _require_other_typist(work: Any, bill: OutsideBill, by: str) -> None:
    """Whoever typed the present version does not compare it; an earlier typist may, since the
    present version is another's."""
    steps = work.outside.steps_of(bill.id)
    typists = [step.by for step in steps if step.step is StepKind.TYPE]
    is_earlier = any(same_person(one, by) for one in typists[:-1])
    if typists and is_earlier and not same_person(typists[-1], by):
        return
    require_new_hand(work, bill, StepKind.COMPARE, by)


def _take_number(deps: OutsideServices, work: Any, bill: OutsideBill, invoice: Invoice) -> None:
    person = work.people.get(bill.person_id)
    hospital = (bill.hospital_code or "", invoice.institution_name)
    verdict = judge(deps, work, person, invoice, hospital=hospital, own_id=bill.id)
    if verdict is not None:
        end_by_fact(deps, work, bill, verdict)
        note_gap(deps, work, bill, invoice, verdict)
        return
    key, second_key = keys_of(deps, invoice)
    held = replace(
        bill,
        state=OutsideState.CHECKING,
        live_key=key,
        live_second_key=second_key,
        hospital_name=invoice.institution_name,
        updated_at=deps.clock.now(),
    )
    work.outside.update(held, bill.state)


def _with_record(
    deps: OutsideServices, bill: OutsideBill, record: dict[str, Any], state: OutsideState
) -> OutsideBill:
    text = canonical_bytes(record).decode()
    return replace(bill, record=text, state=state, updated_at=deps.clock.now())


def _read_typed(
    deps: OutsideServices, work: Any, bill: OutsideBill, document: bytes
) -> dict[str, Any]:
    """The canonical record of what was typed; it must keep to what the document states."""
    parsed = deps.documents.read_typed(document)
    faults = find_faults(parsed, None, deps.clock.now())
    if faults:
        raise TranscriptError(
            f"录入的内容有 {len(faults)} 处错误，没有保存。请对照图片改正",
            f"what was typed has {len(faults)} fault(s); nothing was stored",
            [fault.to_json() for fault in faults],
        )
    refuse_unclaimable(parsed.invoice, work.people.get(bill.person_id))
    record: dict[str, Any] = parsed.invoice.to_record()
    if bill.stated is not None:
        stated = _comparable(json.loads(bill.stated))
        found = list(differences_of(stated, _comparable(record)))
        if found:
            raise TranscriptError(
                "录入的内容和票据文件不一致：" + "、".join(one.path for one in found[:10]),
                "what was typed differs from the file: " + ", ".join(one.path for one in found),
            )
    return record


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _TYPED_ONLY}
