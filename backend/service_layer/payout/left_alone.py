"""Saying what lies among the bank's files and cannot be taken in, until somebody renames it.

A file that is passed over in silence is money that nobody books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.service_layer.payout.ports import PayoutServices
from backend.service_layer.payout.records import LeftAlone

STUCK: Final = "bank-file-stuck"
PLACE: Final = "in/"
"""Begins the alarm's subject; no file's name has a slash, so that it is none of a file taken in."""


def say_left_alone(
    deps: PayoutServices, left: Sequence[LeftAlone], open_alarms: Mapping[str, int]
) -> None:
    """Open an alarm for each, and close those of what is gone or has been renamed."""
    if not left and STUCK not in open_alarms:
        return
    found = {PLACE + one.name: one.why for one in left}
    with deps.work(write=False) as work:
        known = {one for one in work.alarms.open_subjects(STUCK) if one.startswith(PLACE)}
    if known == set(found):
        return
    with deps.work() as work:
        for subject in sorted(set(found) - known):
            detail = f"{found[subject]}: rename it, or take it out of the folder"
            work.alarms.raise_alarm(STUCK, subject, detail)
        for subject in sorted(known - set(found)):
            work.alarms.clear(STUCK, subject)
        work.commit()
