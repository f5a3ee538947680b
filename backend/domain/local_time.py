"""The local time of everything here: every day, month, office hour and working day is China's.

Instants are kept in UTC and turned into a day here only, whatever the clock of the machine says.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


def local_day(at: dt.datetime) -> dt.date:
    """The day in China of an instant (which knows its zone)."""
    return at.astimezone(SHANGHAI).date()
