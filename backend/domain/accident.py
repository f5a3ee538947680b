"""Accidental injury (意外伤害) and late filing: what a person declares, and what follows from it.

The marks of an injury are exact codes (domain reference 2.4, 4.2): medical categories 22 and 81,
main diagnoses S00-T98 and external causes V01-Y98. That work, traffic and third-party cases are
not the fund's is unverified there: nothing here refuses, a person does, by a coded exclusion.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from backend.domain.audit.facts import Liability
from backend.domain.errors import DomainError

MEDICAL_TYPES: Final = frozenset({"22", "81"})
_INJURY: Final = re.compile(r"[STV-Y][0-9]")

STORY_MIN: Final = 2
STORY_MAX: Final = 300
OTHER_MAX: Final = 100
EXCUSE_TEXT_MAX: Final = 300
WAIT_WORKING_DAYS: Final = 10
"""How long a claim waits for its declaration before a person takes it up."""
_OLDEST: Final = dt.timedelta(days=3_660)

_YES_NO: Final = ("has_third_party", "is_at_work", "is_traffic")
"""Kept as words: what is stored has a canonical form, which knows no truth values."""

PLACES: Final = MappingProxyType(
    {
        "home": "家里",
        "road": "路上",
        "work": "单位、工地",
        "public": "学校、商场等",
        "other": "别处",
    }
)
MANNERS: Final = MappingProxyType(
    {
        "fall": "摔倒、跌落",
        "hit": "碰撞、砸伤",
        "cut": "割伤、刺伤",
        "burn": "烫伤、烧伤",
        "bite": "猫狗等咬伤、抓伤",
        "swallowed": "误食、中毒",
        "other": "别的",
    }
)
EXCUSES: Final = MappingProxyType(
    {
        "illness": "一直在住院或病重",
        "hospital-delay": "医院开票或上传晚了",
        "late-cover": "参保手续办得晚",
        "force-majeure": "在国外、遇到灾害等",
        "other-proof": "别的正当理由",
    }
)
"""Excuses of a late filing; the codes are those of the rule ``late-excused``."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """One version of the undertaking (承诺书) that a person signs; never edited, only succeeded."""

    version: int
    zh: str
    en: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the Chinese text, a line feed and the English text, in UTF-8."""
        return hashlib.sha256(f"{self.zh}\n{self.en}".encode()).digest()


UNDERTAKINGS: Final = (
    Undertaking(
        1,
        "我承诺：以上写的都是真的。已经由别人、工伤保险或者车辆保险赔过的医疗费，我不重复报销；"
        "以后得到赔偿，我会告诉医保经办机构。写得不真，我退回报销的钱，并承担责任。",
        "I undertake that the above is true. I claim nothing that another person, work-injury "
        "insurance or vehicle insurance has paid; if I am compensated later I will tell the "
        "agency. If it is not true I return what was paid and answer for it.",
    ),
)
UNDERTAKING: Final = UNDERTAKINGS[-1]

EXCLUSIONS: Final = MappingProxyType(
    {
        "third-party-liable": (
            "应当由造成伤害的第三人负担的医疗费，不由医保基金支付",
            "what a third party has to bear is not paid by the fund",
        ),
        "work-injury": (
            "应当从工伤保险支付的医疗费，不由医保基金支付",
            "what work-injury insurance has to pay is not paid by the fund",
        ),
        "traffic-liable": (
            "应当由交通事故责任方或其保险负担的医疗费，不由医保基金支付",
            "what the liable party of a traffic accident has to bear is not paid by the fund",
        ),
    }
)
"""Reasons for which a person, never the machine, excludes a bill or a part of it."""
EXCLUSION_OF: Final = MappingProxyType(
    {
        Liability.THIRD_PARTY: "third-party-liable",
        Liability.WORK: "work-injury",
        Liability.TRAFFIC: "traffic-liable",
    }
)
APPEAL_ZH: Final = "不同意的，可以在这笔申请的页面申请人工复核"
APPEAL_EN: Final = "you may appeal on the page of this claim"


class DeclarationError(DomainError):
    """The form is not complete; ``faults`` maps the field to what is to be done, in Chinese."""

    code = "declaration-incomplete"

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("；".join(self.faults.values()), f"to fill in: {', '.join(self.faults)}")


@dataclass(frozen=True, slots=True)
class Accident:
    """A complete declaration of an accident, signed. Days are local."""

    happened_on: dt.date
    place: str
    manner: str
    story: str
    has_third_party: bool
    is_at_work: bool
    is_traffic: bool
    other_party: str = ""

    @property
    def liability(self) -> Liability:
        """Who answers for it first: work before traffic before any other party."""
        if self.is_at_work:
            return Liability.WORK
        if self.is_traffic:
            return Liability.TRAFFIC
        return Liability.THIRD_PARTY if self.has_third_party else Liability.NONE

    def to_record(self) -> dict[str, Any]:
        return {
            "happened_on": self.happened_on.isoformat(),
            "place": self.place,
            "manner": self.manner,
            "story": self.story,
            **{name: "yes" if getattr(self, name) else "no" for name in _YES_NO},
            "other_party": self.other_party,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Accident:
        happened_on = dt.date.fromisoformat(record["happened_on"])
        answers = {name: record[name] == "yes" for name in _YES_NO}
        return cls(**{**record, **answers, "happened_on": happened_on})


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a filing was late: a code of :data:`EXCUSES` and what the person adds."""

    code: str
    text: str = ""


def is_injury(diagnosis_code: str, medical_type: str) -> bool:
    """Whether exact codes of the bill say that an injury was treated."""
    return medical_type.strip() in MEDICAL_TYPES or bool(
        _INJURY.match(diagnosis_code.strip().upper())
    )


def read_accident(answers: Mapping[str, str], today: dt.date) -> Accident:
    """The declaration from the answers of a form; ``today`` is the local day.

    Raises :class:`DeclarationError` with every fault at once.
    """
    faults: dict[str, str] = {}
    happened_on = _day(answers.get("happened_on", ""), today, faults)
    for name, known, words in (
        ("place", PLACES, "请选在哪里受伤"),
        ("manner", MANNERS, "请选怎么受伤"),
    ):
        if answers.get(name) not in known:
            faults[name] = words
    story = _text(answers.get("story", ""))
    if not STORY_MIN <= len(story) <= STORY_MAX:
        faults["story"] = f"请写经过，{STORY_MIN} 到 {STORY_MAX} 个字"
    for name, words in (
        ("third_party", "请选有没有别人的责任"),
        ("at_work", "请选是不是在上班"),
        ("traffic", "请选是不是交通事故"),
    ):
        if answers.get(name) not in ("yes", "no"):
            faults[name] = words
    other_party = _text(answers.get("other_party", ""))
    if len(other_party) > OTHER_MAX:
        faults["other_party"] = f"对方是谁，最多 {OTHER_MAX} 个字"
    if answers.get("signed") != "yes":
        faults["signed"] = "请看完承诺书，勾选“我承诺”"
    if faults or happened_on is None:
        raise DeclarationError(faults)
    return Accident(
        happened_on,
        answers["place"],
        answers["manner"],
        story,
        has_third_party=answers["third_party"] == "yes",
        is_at_work=answers["at_work"] == "yes",
        is_traffic=answers["traffic"] == "yes",
        other_party=other_party,
    )


def read_excuse(code: str, text: str) -> Excuse | None:
    """The excuse from a form, None where none was chosen; raises :class:`DeclarationError`."""
    if not code:
        return None
    written = _text(text)
    faults = {}
    if code not in EXCUSES:
        faults["excuse"] = "请从列表里选晚了的理由"
    if len(written) > EXCUSE_TEXT_MAX:
        faults["excuse_text"] = f"理由的说明最多 {EXCUSE_TEXT_MAX} 个字"
    if code == "other-proof" and not written:
        faults["excuse_text"] = "请写一句是什么理由"
    if faults:
        raise DeclarationError(faults)
    return Excuse(code, written)


def _text(value: str) -> str:
    return value.replace("\x00", "").replace("\r\n", "\n").strip()


def _day(value: str, today: dt.date, faults: dict[str, str]) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(value.strip())
    except ValueError:
        faults["happened_on"] = "请选受伤的日期"
        return None
    if found > today:
        faults["happened_on"] = "受伤的日期不能在今天以后"
    elif found < today - _OLDEST:
        faults["happened_on"] = "受伤的日期太早，请再看一下年份"
    return found
