"""The simulated insurance register says that it is simulated; the pages repeat it.

Its people are rows of ``person``; what adjudication may know of one of them, as of a day, is
``backend.service_layer.claims.benefits.snapshot_of``.
"""

from __future__ import annotations

from typing import Final

NOTICE_ZH: Final = "参保信息来自模拟的参保登记，不是真实数据"
NOTICE_EN: Final = "cover data come from a simulated insurance register"
