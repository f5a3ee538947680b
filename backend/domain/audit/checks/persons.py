"""The person against the bill: name, sex and age as registered, and what they rule out.

Sex or age against item is judgement: a newborn's care can stand on the mother's bill, and a name
of an item says less than a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.domain.audit.bill_index import BillIndex
from backend.domain.audit.check import (
    ITEMS,
    NO_BIRTH,
    NO_DIAGNOSIS,
    NO_GENDER,
    Answer,
    CheckSpec,
    Finding,
    Unjudged,
    Values,
    claim_check,
    line_check,
    texts,
    whole,
)
from backend.domain.audit.facts import AuditFacts, Gender
from backend.domain.audit.text import Text

_PRINTED_GENDERS: Final = {
    "男": Gender.MALE,
    "男性": Gender.MALE,
    "1": Gender.MALE,
    "女": Gender.FEMALE,
    "女性": Gender.FEMALE,
    "2": Gender.FEMALE,
}
"""Sex as bills print it, and by the codes of GB/T 2261.1."""

_WORDS: Final = {
    Gender.MALE: Text("男", "male"),
    Gender.FEMALE: Text("女", "female"),
}


def _other_name(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    registered = "".join(facts.person.name.split())
    if not registered:
        return Unjudged("no-name", "登记信息没有姓名，无法核对", "the register has no name")
    printed = "".join(facts.invoice.payer_name.split())
    return () if printed == registered else (Finding(),)


def _other_gender(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    registered = facts.person.gender
    printed = _PRINTED_GENDERS.get(facts.invoice.gender.strip())
    if registered is None:
        return NO_GENDER
    if printed is None:
        return Unjudged(
            "no-printed-gender", "票据没有写性别，无法核对", "the bill does not print the sex"
        )
    if printed is registered:
        return ()
    values: Values = {"printed": _WORDS[printed], "registered": _WORDS[registered]}
    evidence = {"printed": str(printed), "registered": str(registered)}
    return (Finding(values, evidence=evidence),)


def _other_age(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """The printed age in years against the day of birth; months and days are not compared."""
    age = facts.person.age_on(facts.service_on)
    if age is None:
        return NO_BIRTH
    printed = facts.invoice.age.strip().removesuffix("岁")
    if not (printed.isascii() and printed.isdecimal()) or len(printed) > 3:
        return Unjudged(
            "no-printed-age", "票据没有以岁写明年龄，无法核对", "the bill prints no age in years"
        )
    if abs(int(printed) - age) <= params["tolerance_years"]:
        return ()
    values: Values = {"printed": int(printed), "age": age}
    return (Finding(values, evidence=values),)


def _sex_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An item of the other sex. ``gender`` is the one to whom the items belong."""
    places = bill.meant(params["items"])
    if not places:
        return ()
    gender = facts.person.gender
    if gender is None:
        return NO_GENDER
    if str(gender) in params["gender"]:
        return ()
    return [Finding({"gender": _WORDS[gender]}, index, {"gender": str(gender)}) for index in places]


def _sex_diagnosis(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    code, gender = facts.invoice.diagnosis_code.upper(), facts.person.gender
    if not code:
        return NO_DIAGNOSIS
    if not code.startswith(params["diagnoses"]):
        return ()
    if gender is None:
        return NO_GENDER
    if str(gender) in params["gender"]:
        return ()
    values: Values = {"gender": _WORDS[gender], "diagnosis": code}
    return (Finding(values, evidence={"gender": str(gender), "diagnosis": code}),)


def _age_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An item for persons from ``age_min`` to ``age_max`` completed years, both included."""
    places = bill.meant(params["items"])
    if not places:
        return ()
    age = facts.person.age_on(facts.service_on)
    if age is None:
        return NO_BIRTH
    if params["age_min"] <= age <= params["age_max"]:
        return ()
    return [Finding({"age": age}, index, {"age": age}) for index in places]


def _age_days_item(facts: AuditFacts, bill: BillIndex, params: Mapping[str, Any]) -> Answer:
    """An item for the first ``days_max`` days of life."""
    places = bill.meant(params["items"])
    if not places:
        return ()
    born = facts.person.birth_on
    if born is None:
        return NO_BIRTH
    days = ((facts.invoice.admitted_on or facts.service_on) - born).days
    if 0 <= days <= params["days_max"]:
        return ()
    return [Finding({"days": days}, index, {"days": days}) for index in places]


_GENDER: Final = texts("gender", *(str(one) for one in Gender))

CHECKS: Final[tuple[CheckSpec, ...]] = (
    claim_check("other-name", _other_name),
    claim_check("other-gender", _other_gender, values=("printed", "registered")),
    claim_check("other-age", _other_age, (whole("tolerance_years", 0, 5),), ("printed", "age")),
    line_check("sex-item", _sex_item, (ITEMS, _GENDER), ("gender",)),
    claim_check(
        "sex-diagnosis", _sex_diagnosis, (texts("diagnoses"), _GENDER), ("gender", "diagnosis")
    ),
    line_check(
        "age-item", _age_item, (ITEMS, whole("age_min", 0, 150), whole("age_max", 0, 150)), ("age",)
    ),
    line_check("age-days-item", _age_days_item, (ITEMS, whole("days_max", 0, 400)), ("days",)),
)
