"""Thirty invented citizens. The names are 测试 (test) and a pair of the sexagenary cycle."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from scripts.sample_data.draw import Draw

CITIZENS: Final = 30
EMPLOYEE: Final = "310"
RESIDENT: Final = "390"
IN_SERVICE: Final = "1101"
RETIRED: Final = "1102"
RESIDENT_PERSON: Final = "other"

_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"
_BANKS: Final = ("示例银行（测试）", "样本农商银行（测试）", "虚构邮储银行（测试）")


@dataclass(frozen=True, slots=True)
class Citizen:
    """One insured person as the (simulated) insurance register knows them."""

    index: int
    username: str
    name: str
    identity_number: str
    gender: str
    birth_on: dt.date
    insurance_type: str
    person_type: str
    payee_bank: str
    payee_account_tail: str

    def age_on(self, day: dt.date) -> int:
        before = (day.month, day.day) < (self.birth_on.month, self.birth_on.day)
        return day.year - self.birth_on.year - before


def invented_name(number: int) -> str:
    """测试甲子, 测试乙丑, ...: the ``number``-th pair of the cycle, from 0."""
    return f"测试{_STEMS[number % 10]}{_BRANCHES[number % 12]}"


def sample_citizens(seed: int, as_of: dt.date) -> tuple[Citizen, ...]:
    """The first, ``citizen01``, is the one whose amounts the tests work out by hand."""
    return tuple(_citizen(index, seed, as_of) for index in range(1, CITIZENS + 1))


def _citizen(index: int, seed: int, as_of: dt.date) -> Citizen:
    draw = Draw(seed, f"citizen/{index}")
    # The first three are fixed kinds; the hand-worked amounts and the browser test rest on them.
    kind = {1: "in-service", 2: "retired", 3: "resident"}.get(
        index, draw.one_of(("in-service", "in-service", "retired", "resident"))
    )
    age = {"in-service": draw.between(23, 58), "retired": draw.between(61, 88)}.get(
        kind, draw.between(3, 80)
    )
    birth_on = dt.date(as_of.year - age, draw.between(1, 12), draw.between(1, 28))
    person_type = {"in-service": IN_SERVICE, "retired": RETIRED}.get(kind, RESIDENT_PERSON)
    return Citizen(
        index=index,
        username=f"citizen{index:02d}",
        name=invented_name(index - 1),
        identity_number=f"TEST-ID-{index:04d}",
        gender=draw.one_of(("男", "女")),
        birth_on=birth_on,
        insurance_type=RESIDENT if kind == "resident" else EMPLOYEE,
        person_type=person_type,
        payee_bank=draw.one_of(_BANKS),
        payee_account_tail=f"{draw.below(10_000):04d}",
    )
