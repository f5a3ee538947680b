"""What an ordinary bill does not hold: the audit's rules would rightly ask about it.

Ordinary bills of the sample are care that nobody needs to look at, so that what is planted stands
out. Operations and what belongs to them, cancer and dialysis are left to planted cases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from backend.domain.catalogue import CatalogueItem
from backend.domain.invoice import ExpenseLine

ADULT_AGE: Final = 18

_RARE_CATEGORIES: Final = frozenset(("06",))
_RARE_WORDS: Final = (
    "麻醉", "镇痛泵", "支架", "球囊", "造影导丝", "髋关节", "人工晶体", "接骨板", "螺钉", "吻合器",
    "缝合线", "钛夹", "防粘连膜", "负压引流", "透析", "重症监护", "磁共振增强", "紫杉醇",
    "卡培他滨", "曲妥珠", "促红素", "罗库溴铵", "丙泊酚", "芬太尼", "保健",
)  # fmt: skip
_ADULT_WORDS: Final = ("沙星",)
_CHILD_WORDS: Final = ("小儿", "儿童")
_EYE_WORDS: Final = ("滴眼",)

_ONCE_A_BILL: Final = (
    "骨密度",
    "动态心电图",
    "胃镜",
    "结肠镜",
    "肿瘤标志物",
    "病理",
    "病历复印",
    "艾司唑仑",
)
_ONE_OF_A_DAY: Final = {
    "床位费": "bed",
    "级护理": "nursing",
    "门诊诊察费": "consultation",
    "一般诊疗费": "consultation",
    "急诊诊察费": "consultation",
}
_DAILY_WORDS: Final = ("诊察费", "彩色多普勒", "超声", "CT", "磁共振", "心电图", "X线", "肺功能")
_LABORATORY: Final = "04"
_DRUGS: Final = frozenset(("09", "10", "11"))
_SALES_MAX: Final = 2


def is_ordinary(item: CatalogueItem) -> bool:
    """Whether a bill that nothing is planted in may hold it."""
    is_rare = any(word in item.name for word in _RARE_WORDS)
    return item.category_code not in _RARE_CATEGORIES and not is_rare


def suits(age: int) -> Callable[[CatalogueItem], bool]:
    """What a person of that age is given."""
    is_adult = age >= ADULT_AGE
    return lambda item: _suits(item.name, is_adult)


@lru_cache(maxsize=10_000)
def _suits(name: str, is_adult: bool) -> bool:
    if any(word in name for word in _EYE_WORDS):
        return True
    wrong = _CHILD_WORDS if is_adult else _ADULT_WORDS
    return not any(word in name for word in wrong)


class ChargedOnce:
    """Remembers what a bill has charged that is charged once a day or once a visit."""

    def __init__(self) -> None:
        self._charged: set[tuple[str, str]] = set()
        self._bought: dict[str, int] = {}

    def is_free(self, item: CatalogueItem, day: str) -> bool:
        """Whether the item may be charged on that day; it then counts as charged. ``day`` is
        empty on an outpatient bill, where a drug is sold twice at most."""
        group, is_daily = _once(item.code, item.name, item.category_code)
        if not group:
            return bool(day) or item.category_code not in _DRUGS or self._is_sold(item.code)
        key = (group, day if is_daily else "")
        if key in self._charged:
            return False
        self._charged.add(key)
        return True

    def _is_sold(self, code: str) -> bool:
        times = self._bought[code] = self._bought.get(code, 0) + 1
        return times <= _SALES_MAX


@lru_cache(maxsize=10_000)
def _once(code: str, name: str, category: str) -> tuple[str, bool]:
    """What is charged once, and whether that is once a day; an empty text: as often as it comes."""
    if any(word in name for word in _ONCE_A_BILL):
        return code, False
    for word, group in _ONE_OF_A_DAY.items():
        if word in name:
            return group, True
    if category == _LABORATORY or any(word in name for word in _DAILY_WORDS):
        return code, True
    return "", False


def sold_singly(line: ExpenseLine) -> str:
    """The unit of part of a pack: tablets of a box or a bottle are counted one by one."""
    return "片" if line.unit in ("盒", "瓶") else line.unit
