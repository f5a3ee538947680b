"""Named places at which a test can kill the process, to prove that nothing is lost or doubled.

``YICHU_FAILPOINT=name`` kills at the first pass of that point, ``name:3`` at the third, and
``name:3:stop`` freezes the process there (SIGSTOP), as a suspended machine does. Without the
variable a point costs one comparison. The list below is what the tests iterate over. Besides, each
commit of a unit of work is a point before and after it: ``commit.before:17`` kills before the
process's 17th commit is durable, ``commit.after:17`` when it is and nothing else has happened.
"""

from __future__ import annotations

import os
import signal
from typing import Final

_armed = os.environ.get("YICHU_FAILPOINT", "")
_passes = 0

NAMES: Final = (
    "send.before-sign",
    "send.after-sign",
    "send.in-commit",
    "send.after-commit",
    "send.after-forward",
    "send.after-sent-mark",
    "outcome.before-receipt",
    "outcome.before-commit",
    "outcome.after-commit",
    "follow.before-logs",
    "follow.before-commit",
    "follow.after-commit",
    "finality.before-commit",
    "finality.after-commit",
    "claims.screened",
    "claims.calculated",
    "claims.lodge-enqueued",
    "claims.lodged",
    "claims.decided",
    "claims.settle-enqueued",
    "claims.settled",
    "payout.approved",
    "payout.file-written",
    "payout.handed-over",
    "payout.hand-over-marked",
    "payout.message-read",
    "payout.answer-booked",
    "payout.put-away",
    "payout.run-finished",
    "claims.released",
    "claims.withdraw-asked",
    "claims.withdrawn",
    "claims.supplement-enqueued",
    "claims.supplemented",
    "recovery.withdrawn",
    "recovery.ordered",
    "recovery.proposed",
    "recovery.approved",
    "recovery.received",
    "recovery.waived",
    "recovery.lead-closed",
    "recovery.withdrawals-read",
    "clearing.person-done",
    "reconcile.file-adopted",
    "second-payers.lodge-enqueued",
    "second-payers.settle-enqueued",
    "second-payers.release-enqueued",
)

AFTERWARDS: Final = (
    "claims.withdraw-asked",
    "claims.withdrawn",
    "claims.supplement-enqueued",
    "claims.supplemented",
    "recovery.withdrawn",
    "recovery.ordered",
    "recovery.proposed",
    "recovery.approved",
    "recovery.received",
    "recovery.waived",
    "recovery.lead-closed",
    "recovery.withdrawals-read",
    "clearing.person-done",
    "reconcile.file-adopted",
    "second-payers.lodge-enqueued",
    "second-payers.settle-enqueued",
    "second-payers.release-enqueued",
)
"""Points that a claim passes only when it is withdrawn, gets a further decision, its money is
asked back, or its year is cleared; and those of a restored database and of insurers' calls."""

BOUNDARIES: Final = ("commit.before", "commit.after")
"""Around every commit of the database, wherever it is written."""


def reach(name: str) -> None:
    """End this process with SIGKILL, or stop it, when ``name`` is the armed point."""
    if not _armed:
        return
    wanted, _, rest = _armed.partition(":")
    if wanted == name:
        global _passes  # noqa: PLW0603 - the count of passes is the point's whole state
        _passes += 1
        count, _, action = rest.partition(":")
        if action == "stop":
            if _passes == int(count):
                os.kill(os.getpid(), signal.SIGSTOP)
        elif _passes >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)
