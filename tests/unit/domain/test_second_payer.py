"""How an insurer's claim stands is read from its calls; what a consent opens is named."""

from __future__ import annotations

import datetime as dt

import pytest

from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.domain.second_payer import (
    ConsentRefusedError,
    Part,
    Phase,
    read_days,
    read_parts,
    shown,
    standing_of,
)

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SOON = int((NOW + dt.timedelta(days=1)).timestamp())


def call(
    kind: str, outcome: str | None = "done", state: str = "final", **payload: int
) -> LedgerIntent:
    return LedgerIntent(
        id=f"int_{kind}", kind=IntentKind(kind), account="0x1", held=True, dedupe_key=kind,
        subject_id="pcl_1", payload={"deadline": SOON, "amount": 7} | payload,
        state=IntentState(state), outcome=outcome,
    )  # fmt: skip


LODGED = call("lodge")


@pytest.mark.parametrize(
    ("calls", "phase"),
    [
        ([call("lodge", None, "queued")], Phase.LODGING),
        ([call("lodge", "done", "mined")], Phase.LODGING),  # mined may still leave the chain
        ([call("lodge", None, "quarantined")], Phase.HELD),
        ([call("lodge", "locked")], Phase.REFUSED),
        ([call("lodge", "repeated")], Phase.LODGED),
        ([LODGED, call("settle", None, "sent")], Phase.SETTLING),
        ([LODGED, call("settle", "done", "mined")], Phase.SETTLING),
        ([LODGED, call("settle", "over-total")], Phase.LODGED),
        ([LODGED, call("settle", "over-total"), call("settle", None, "queued")], Phase.SETTLING),
        ([LODGED, call("settle", None, "quarantined")], Phase.HELD),
        ([LODGED, call("settle", "stale")], Phase.ENDED),
        ([LODGED, call("settle")], Phase.SETTLED),
        ([LODGED, call("release")], Phase.RELEASED),
        ([LODGED, call("expire")], Phase.EXPIRED),
        ([LODGED, call("expire", "not-due")], Phase.LODGED),
        ([call("lodge", deadline=SOON - 2 * 86_400)], Phase.LAPSED),
        ([call("lodge", deadline=SOON - 2 * 86_400), call("renew")], Phase.LODGED),
        ([call("lodge", deadline=SOON - 2 * 86_400), call("renew", "stale")], Phase.ENDED),
        ([call("lodge", deadline=SOON - 2 * 86_400), call("renew", None, "sent")], Phase.LAPSED),
    ],
)
def test_a_claim_stands_as_the_ledger_has_answered_for_good(
    calls: list[LedgerIntent], phase: Phase
) -> None:
    standing = standing_of(calls, NOW)
    assert standing.phase is phase
    assert standing.settled_fen == (7 if phase is Phase.SETTLED else None)


@pytest.mark.parametrize("ticked", [[], [""], ["everything"], ["header", "HEADER"], ["identity"]])
def test_parts_that_are_none_are_refused(ticked: list[str]) -> None:
    with pytest.raises(ConsentRefusedError, match="tick at least one part"):
        read_parts(ticked)


@pytest.mark.parametrize("text", ["", "0", "-30", "31", "30.0", "３０", "99999"])
def test_days_that_are_not_offered_are_refused(text: str) -> None:
    with pytest.raises(ConsentRefusedError, match="choose for how many days"):
        read_days(text)


def test_what_is_named_is_shown_and_nothing_else() -> None:
    assert read_parts(["decision", "header", "header"]) == (Part.HEADER, Part.DECISION)
    record = {"name": "x", "payer_id": "secret", "empty": "", "zero": 0}
    assert shown(record, ("zero", "name", "empty", "absent")) == {"zero": 0, "name": "x"}
