"""People, stays, places, groups and staff at the edges, each with the lines that it names."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.audit_rules import load_rule_book
from backend.domain.audit.engine import evaluate
from backend.domain.audit.facts import (
    AccidentDeclaration,
    AuditFacts,
    ClaimFacts,
    ClaimKind,
    GroupExample,
    InstitutionFacts,
    Liability,
    OtherBill,
)
from backend.domain.invoice import Attachment, AttachmentType
from tests.unit.audit.one_check import TESTS, asked, found, unjudged
from tests.unit.audit.scenes import (
    ADMITTED,
    DAY,
    ELSEWHERE,
    MAN,
    WOMAN,
    aged,
    day,
    facts,
    group,
    inpatient,
    line,
    other,
    outpatient,
    stay,
)

RULES = load_rule_book().shipped


def evidence_of(code: str, known: AuditFacts) -> list[dict[str, Any]]:
    return [hit.evidence for hit in evaluate(RULES.only(code), known).hits]


def places_of(code: str, known: AuditFacts) -> list[int | None]:
    return [hit.line_index for hit in evaluate(RULES.only(code), known).hits]


# The person


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("47", None),
        ("45", None),
        ("44", "age 46; printed 44"),
        ("48岁", "age 46; printed 48"),
        ("046", None),
        ("999", "age 46; printed 999"),
    ],
)
def test_the_printed_age_may_differ_by_the_tolerance(printed: str, said: str | None) -> None:
    known = facts(outpatient(age=printed))
    assert found(known, "other-age", tolerance_years=1) == ([(None, said)] if said else [])


@pytest.mark.parametrize(
    "printed", ["", "岁", "1000", "4６", "４６", "46.5", "-46", "46岁3月", "²"]
)
def test_an_age_that_is_not_in_years_is_not_compared(printed: str) -> None:
    known = facts(outpatient(age=printed))
    assert unjudged(known, "other-age", tolerance_years=1) == ["no-printed-age"]


@pytest.mark.parametrize("registered", ["测试甲", "测试 甲", " 测试\u3000甲 "])
@pytest.mark.parametrize("printed", ["测试甲", "测 试甲", "测试甲 "])
def test_spaces_are_no_part_of_a_name(registered: str, printed: str) -> None:
    person = replace(WOMAN, name=registered)
    assert not found(facts(outpatient(payer_name=printed), person=person), "other-name")
    other_name = facts(outpatient(payer_name="测试乙"), person=person)
    assert found(other_name, "other-name") == [(None, "hit")]


@pytest.mark.parametrize("printed", ["男", "男性", "1", " 男 "])
def test_every_spelling_of_male(printed: str) -> None:
    known = facts(outpatient(gender=printed))
    assert found(known, "other-gender") == [(None, "printed male; registered female")]
    assert not found(replace(known, person=MAN), "other-gender")


@pytest.mark.parametrize("printed", ["女", "女性", "2"])
def test_every_spelling_of_female(printed: str) -> None:
    known = facts(outpatient(gender=printed), person=MAN)
    assert found(known, "other-gender") == [(None, "printed female; registered male")]


WORD = {"words": ["项"]}


def test_every_line_of_the_other_sex_is_named() -> None:
    known = facts(outpatient(line(), line("项一"), line("项二")), person=MAN)
    result = asked(known, "sex-item", items=WORD, gender=["female"])
    assert [(hit.line_index, hit.zh, hit.en, hit.evidence) for hit in result.hits] == [
        (1, "gender 男", "gender male", {"gender": "male"}),
        (2, "gender 男", "gender male", {"gender": "male"}),
    ]
    assert not found(known, "sex-item", items=WORD, gender=["female", "male"])
    assert not found(
        facts(person=replace(MAN, gender=None)), "sex-item", items=WORD, gender=["male"]
    )


def test_a_diagnosis_of_no_sex_asks_for_none() -> None:
    unknown = replace(WOMAN, gender=None)
    asks = {"diagnoses": ["O", "N40"], "gender": ["female"]}
    assert not found(facts(person=unknown), "sex-diagnosis", **asks)
    lower = facts(outpatient(diagnosis_code="o80.900"), person=MAN)
    assert found(lower, "sex-diagnosis", **asks) == [(None, "diagnosis O80.900; gender male")]
    assert not found(replace(lower, person=WOMAN), "sex-diagnosis", **asks)


@pytest.mark.parametrize(
    ("years", "hits"), [(11, True), (12, False), (30, False), (55, False), (56, True)]
)
def test_both_ages_belong_to_the_span(years: int, hits: bool) -> None:
    known = facts(outpatient(line(), line("项一"), line("项二")), person=aged(years))
    said = [(1, f"age {years}"), (2, f"age {years}")] if hits else []
    assert found(known, "age-item", items=WORD, age_min=12, age_max=55) == said


@pytest.mark.parametrize(
    ("born", "said"),
    [
        (DAY, None),
        (day(4, 15), None),
        (day(4, 14), "days 29"),
        (day(5, 14), "days -1"),
    ],
)
def test_a_newborn_is_at_most_so_many_days_old_and_born(born: dt.date, said: str | None) -> None:
    known = facts(outpatient(line(), line("项")), person=replace(WOMAN, birth_on=born))
    assert found(known, "age-days-item", items=WORD, days_max=28) == ([(1, said)] if said else [])


def test_in_a_stay_the_age_in_days_is_that_of_the_admission() -> None:
    person = replace(WOMAN, birth_on=day(4, 8))
    stayed = facts(inpatient(line("项")), person=person)
    assert not found(stayed, "age-days-item", items=WORD, days_max=28)
    visited = facts(outpatient(line("项")), person=person)
    assert found(visited, "age-days-item", items=WORD, days_max=28) == [(0, "days 35")]
    assert not found(facts(person=replace(WOMAN, birth_on=None)), "age-days-item", items=WORD,
                     days_max=28)  # fmt: skip


# Restricted items


def test_restricted_lines_are_named_past_those_that_are_not() -> None:
    lines = (
        line("普通药", code="U1"),
        line("不认识", code="X9"),
        line("限制药", code="R1", approval_flag="0"),
        line("无编码", catalogue_code=""),
        line("限制药", code="R1"),
        line("限制药", code="R1"),
    )
    known = facts(outpatient(*lines))
    assert places_of("rst-unapproved", known) == [4, 5]


def test_an_approval_is_needless_only_where_the_catalogue_knows_the_item() -> None:
    lines = (
        line("无编码", catalogue_code="", approval_flag="1"),
        line("不认识", code="X9", approval_flag="1"),
        line("普通药", code="U1"),
        line("普通药", code="U1", approval_flag="1"),
        line("限制药", code="R1", approval_flag="1"),
    )
    assert places_of("rst-needless-approval", facts(outpatient(*lines))) == [3]


def limited(word: str, *diagnoses: str) -> dict[str, Any]:
    return {"zh": f"限{word}", "en": word, "items": {"words": [word]}, "diagnoses": [*diagnoses]}


def test_every_limit_on_diagnoses_is_looked_at() -> None:
    limits = [limited("甲", "C"), limited("乙", "I1", "K"), limited("丙", "J")]
    known = facts(outpatient(line("乙"), line("丙"), line(), line("丙")))
    assert found(known, "other-diagnosis", limits=limits) == [
        (1, "diagnosis I10.X00; label 丙"),
        (3, "diagnosis I10.X00; label 丙"),
    ]
    lower = facts(outpatient(line("丙"), diagnosis_code="j18"))
    assert not found(lower, "other-diagnosis", limits=limits)
    undiagnosed = facts(outpatient(line(), diagnosis_code=""))
    assert not found(undiagnosed, "other-diagnosis", limits=limits)


def test_lines_of_special_drugs_are_counted_and_at_most_twenty_named() -> None:
    known = facts(outpatient(line(), *[line("项")] * 21))
    assert found(known, "no-prescription", items=WORD) == [(None, "count 21")]
    (hit,) = asked(known, "no-prescription", items=WORD).hits
    assert hit.evidence == {"lines": list(range(1, 21))}


def test_another_attachment_is_no_prescription() -> None:
    note = Attachment(AttachmentType.DIAGNOSIS, "ab" * 32)
    assert found(facts(outpatient(line("项"), attachments=(note,))), "no-prescription", items=WORD)
    both = (note, Attachment(AttachmentType.PRESCRIPTION, "cd" * 32))
    known = facts(outpatient(line("项"), attachments=both))
    assert not found(known, "no-prescription", items=WORD)


# Accidents

UNDECLARED_ACCIDENT = ClaimFacts(ClaimKind.ACCIDENT)
DECLARED_ORDINARY = ClaimFacts(accident=AccidentDeclaration(Liability.NONE, True, day(5, 1)))


@pytest.mark.parametrize("claim", [UNDECLARED_ACCIDENT, DECLARED_ORDINARY])
@pytest.mark.parametrize(
    ("check", "parameters"),
    [
        ("injury-diagnosis", {"diagnoses": ["S"]}),
        ("injury-visit", {"medical_types": ["22"]}),
        ("injury-words", {"words": ["摔"]}),
        ("injury-items", {"items": {"words": ["石膏"]}}),
    ],
)
def test_an_accident_claim_or_a_declaration_is_enough(
    check: str, parameters: dict[str, Any], claim: ClaimFacts
) -> None:
    bill = outpatient(line("石膏"), diagnosis_code="S06", medical_type="22", remark="摔")
    assert found(facts(bill), check, **parameters)
    assert not found(facts(bill, claim=claim), check, **parameters)
    undeclared_nothing = replace(bill, diagnosis_code="", medical_type="")
    assert not found(facts(undeclared_nothing, claim=claim), check, **parameters)


@pytest.mark.parametrize("field", ["diagnosis_name", "remark", "department"])
def test_words_of_an_injury_are_looked_for_in_each_place(field: str) -> None:
    known = facts(outpatient(**{field: "左腿摔伤后骨折"}))
    (hit,) = asked(known, "injury-words", words=["车祸", "摔伤", "骨折"]).hits
    assert (hit.en, hit.evidence) == ("word 摔伤", {"words": ["摔伤", "骨折"]})


def test_words_of_two_places_do_not_run_together() -> None:
    known = facts(outpatient(diagnosis_name="摔", remark="伤"))
    assert not found(known, "injury-words", words=["摔伤"])


def test_of_items_after_injuries_the_first_name_is_said_and_twenty_lines_kept() -> None:
    lines = [line("石膏乙"), line("石膏甲"), line(), *[line("石膏乙")] * 20]
    (hit,) = asked(facts(outpatient(*lines)), "injury-items", items={"words": ["石膏"]}).hits
    assert hit.en == "item 石膏乙"  # 乙 is U+4E59, 甲 U+7532
    assert hit.evidence == {"lines": [0, 1, *range(3, 21)]}


def test_an_injury_by_diagnosis_is_read_in_either_case() -> None:
    known = facts(outpatient(diagnosis_code="s06.000"))
    (hit,) = asked(known, "injury-diagnosis", diagnoses=["S", "T"]).hits
    assert (hit.en, hit.evidence) == ("diagnosis S06.000", {"diagnosis": "S06.000"})


def test_an_undertaking_is_missing_where_nothing_was_declared() -> None:
    assert evidence_of("acc-undertaking", facts(claim=UNDECLARED_ACCIDENT)) == [{"declared": 0}]
    unsigned = AccidentDeclaration(Liability.NONE, False, day(5, 1))
    assert evidence_of(
        "acc-undertaking", facts(claim=ClaimFacts(ClaimKind.ACCIDENT, accident=unsigned))
    ) == [{"declared": 1}]
    ordinary = facts(claim=ClaimFacts(accident=unsigned))
    assert not found(ordinary, "no-undertaking")


@pytest.mark.parametrize("liability", list(Liability))
def test_only_the_liabilities_of_the_rule_are_asked_about(liability: Liability) -> None:
    claim = ClaimFacts(accident=AccidentDeclaration(liability, True))
    hits = asked(facts(claim=claim), "liable", liabilities=["traffic", "work"]).hits
    expected = [{"liability": str(liability)}] if str(liability) in ("traffic", "work") else []
    assert [hit.evidence for hit in hits] == expected


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ({"visit_on": day(5, 10)}, "2026-05-10"),
        ({"visit_on": None}, "2026-05-13"),
        ({"visit_on": day(5, 10), "admitted_on": day(5, 8)}, "2026-05-08"),
    ],
)
def test_the_accident_is_not_after_the_first_day_of_care(
    header: dict[str, Any], first: str
) -> None:
    begins = dt.date.fromisoformat(first)

    def happened(on: dt.date) -> AuditFacts:
        declared = AccidentDeclaration(Liability.NONE, True, on)
        return facts(outpatient(**header), claim=ClaimFacts(accident=declared))

    after = begins + dt.timedelta(days=1)
    assert found(happened(after), "accident-after-visit") == [
        (None, f"happened {after.isoformat()}; visit {first}")
    ]
    assert not found(happened(begins), "accident-after-visit")


# Place and time


def test_care_out_of_the_area_is_named_with_both_areas() -> None:
    person = replace(WOMAN, remote_status="own-choice")
    known = facts(hospital_area="310101", person=person)
    (hit,) = asked(known, "unfiled", statuses=["nobody", "own-choice"]).hits
    assert hit.en == "area 310101; region 330800"
    assert hit.evidence == {"area": "310101", "region": "330800", "status": "own-choice"}
    assert not found(known, "unfiled", statuses=["nobody"])


@pytest.mark.parametrize("kind", ["13", "24"])
def test_categories_of_an_emergency_prove_it(kind: str) -> None:
    person = replace(WOMAN, remote_status="emergency")
    asks = {"statuses": ["emergency"], "medical_types": ["13", "24"]}
    assert not found(
        facts(outpatient(medical_type=kind), person=person), "unproved-emergency", **asks
    )
    other_kind = facts(outpatient(medical_type="11"), person=person)
    assert found(other_kind, "unproved-emergency", **asks) == [(None, "medical_type 11")]
    local = facts(outpatient(medical_type=""))
    assert not found(local, "unproved-emergency", **asks)


@pytest.mark.parametrize(
    ("days", "excuse", "late", "excused"),
    [
        (30, "", False, False),
        (31, "", True, False),
        (31, "illness", False, True),
        (30, "illness", False, False),
        (31, "laziness", True, False),
    ],
)
def test_a_late_filing_is_either_late_or_excused(
    days: int, excuse: str, late: bool, excused: bool
) -> None:
    known = facts(submitted_on=DAY + dt.timedelta(days=days), claim=ClaimFacts(excuse_code=excuse))
    asks = {"days": 30, "excuses": ["illness", "late-cover"]}
    assert [hit.evidence for hit in asked(known, "late", **asks).hits] == (
        [{"days": days, "limit": 30, "excuse": excuse}] if late else []
    )
    assert [hit.evidence for hit in asked(known, "excused", **asks).hits] == (
        [{"days": days, "limit": 30, "excuse": excuse}] if excused else []
    )


def bill_of_tests(tests: int, others: int, **known: Any) -> AuditFacts:
    lines = [line(f"检验{n}", "04") for n in range(tests)] + [line()] * others
    return facts(outpatient(*lines), **({"is_rest_day": True} | known))


@pytest.mark.parametrize(
    ("tests", "others", "hits"),
    [(9, 1, True), (9, 2, False), (8, 0, False), (18, 2, True), (18, 3, False), (89, 10, False)],
)
def test_a_check_up_is_nearly_all_tests(tests: int, others: int, hits: bool) -> None:
    """From nine tests on, and nine of ten lines."""
    known = bill_of_tests(tests, others)
    asks = {"items": TESTS, "lines_min": 9, "percent": 90}
    said = [(None, f"day 2026-05-13; tests {tests}")] if hits else []
    assert found(known, "rest-day-check-up", **asks) == said


def test_a_check_up_is_an_outpatient_bill() -> None:
    asks = {"items": TESTS, "lines_min": 1, "percent": 50}
    in_bed = facts(inpatient(*[line("检验", "04")] * 9), is_rest_day=True)
    assert not found(in_bed, "rest-day-check-up", **asks)
    assert not found(replace(in_bed, is_rest_day=None), "rest-day-check-up", **asks)
    empty = facts(replace(outpatient(), lines=()), is_rest_day=None)
    assert not found(empty, "rest-day-check-up", **asks)


# Stays


@pytest.mark.parametrize(
    ("begins", "ends", "gap"),
    [
        (day(4, 20), day(4, 27), 9),
        (day(4, 20), day(5, 5), 1),
        (day(4, 20), ADMITTED, 0),
        (DAY, day(5, 20), 0),
        (day(5, 14), day(5, 20), 1),
        (day(5, 23), day(5, 25), 10),
        (day(5, 24), day(5, 25), None),
        (day(4, 20), day(4, 25), None),
        (day(5, 1), day(5, 7), None),  # overlaps: another rule's business
        (day(5, 12), day(5, 20), None),
    ],
)
def test_the_gap_between_two_stays(begins: dt.date, ends: dt.date, gap: int | None) -> None:
    known = facts(inpatient(), others=(stay(begins, ends),))
    said = [] if gap is None else [(None, f"days {gap}; limit 10")]
    assert found(known, "readmission", days=10, same_hospital=0, same_diagnosis=0) == said


def test_a_stay_of_one_day_on_the_day_of_admission_comes_before() -> None:
    """It ended on the day on which this one began: no day lies between."""
    known = facts(inpatient(admitted_on=DAY), others=(stay(DAY, DAY),))
    assert found(known, "readmission", days=0, same_hospital=0, same_diagnosis=0) == [
        (None, "days 0; limit 0")
    ]


@pytest.mark.parametrize("missing", ["admitted_on", "discharged_on"])
def test_a_stay_with_a_missing_date_is_near_to_none(missing: str) -> None:
    half = replace(stay(day(5, 14), day(5, 20)), **{missing: None})
    asks = {"days": 60, "same_hospital": 0, "same_diagnosis": 0}
    assert not found(facts(inpatient(), others=(half,)), "readmission", **asks)


def readmitted(others: tuple[OtherBill, ...], hospital: int, diagnosis: int, **header: Any) -> Any:
    known = facts(inpatient(**header), others=others)
    hits = asked(
        known, "readmission", days=10, same_hospital=hospital, same_diagnosis=diagnosis
    ).hits
    return [hit.evidence for hit in hits]


def test_of_several_stays_the_nearest_gap_is_told_and_all_are_named() -> None:
    others = (
        stay(day(4, 20), day(5, 1), "a"),
        stay(day(5, 16), day(5, 20), "b", institution_code=ELSEWHERE),
        stay(day(4, 10), day(4, 15), "far"),
        other(reference="visit", service_on=day(5, 15)),
    )
    assert readmitted(others, 0, 0) == [{"gap_days": 3, "bills": ["a", "b"]}]
    assert readmitted(others, 1, 0) == [{"gap_days": 5, "bills": ["a"]}]


def test_the_category_of_the_diagnosis_is_compared_and_no_more() -> None:
    others = (
        stay(day(4, 20), day(5, 1), "same", diagnosis_code="i10.900"),
        stay(day(4, 20), day(5, 2), "other", diagnosis_code="I11.x00"),
    )
    assert readmitted(others, 0, 1) == [{"gap_days": 5, "bills": ["same"]}]
    assert readmitted(others, 0, 1, diagnosis_code="i10") == [{"gap_days": 5, "bills": ["same"]}]
    assert readmitted(others, 0, 1, diagnosis_code="I12.x00") == []
    assert readmitted(others, 0, 0, diagnosis_code="") == [
        {"gap_days": 4, "bills": ["same", "other"]}
    ]


def test_no_diagnosis_is_needed_where_no_stay_is_near() -> None:
    asks = {"days": 3, "same_hospital": 0, "same_diagnosis": 1}
    assert not found(facts(inpatient(diagnosis_code="")), "readmission", **asks)
    near = stay(day(4, 20), day(5, 5), "near", diagnosis_code="")
    assert unjudged(facts(inpatient(), others=(near,)), "readmission", **asks) == ["no-diagnosis"]
    assert not found(facts(others=(near,)), "readmission", **asks)  # an outpatient bill


@pytest.mark.parametrize(
    ("another", "hits"),
    [
        (stay(day(5, 1), day(5, 7)), True),
        (stay(day(5, 1), ADMITTED), False),
        (stay(day(5, 12), day(5, 20)), True),
        (stay(DAY, day(5, 20)), False),
        (stay(day(5, 8), day(5, 9)), True),
        (stay(day(4, 1), day(6, 1)), True),
        (other(service_on=day(5, 7)), True),
        (other(service_on=day(5, 12)), True),
        (other(service_on=ADMITTED), False),
        (other(service_on=DAY), False),
        (other(service_on=day(5, 8), admitted_on=day(5, 8)), True),
        (other(service_on=day(5, 8), discharged_on=day(5, 8)), True),
        (other(service_on=day(5, 20), admitted_on=day(5, 8)), False),
    ],
)
def test_care_between_the_first_and_the_last_day_overlaps(another: OtherBill, hits: bool) -> None:
    known = facts(inpatient(), others=(another,))
    said = [(None, "count 1; from 2026-05-06; to 2026-05-13")] if hits else []
    assert found(known, "overlapping-stay") == said


@pytest.mark.parametrize(
    "dates",
    [{"admitted_on": None}, {"discharged_on": None}, {"admitted_on": day(5, 14)}],
)
def test_a_stay_without_sound_dates_overlaps_nothing(dates: dict[str, Any]) -> None:
    known = facts(inpatient(**dates), others=(stay(day(5, 1), day(5, 30)),))
    assert unjudged(known, "overlapping-stay") == ["no-stay-dates"]


def test_overlapping_bills_are_counted_and_named() -> None:
    others = (stay(day(5, 10), day(5, 20), "b"), other(reference="a", service_on=day(5, 8)))
    known = facts(inpatient(), others=others)
    (hit,) = asked(known, "overlapping-stay").hits
    assert (hit.en, hit.evidence) == (
        "count 2; from 2026-05-06; to 2026-05-13",
        {"bills": ["a", "b"]},
    )
    assert not found(replace(known, invoice=outpatient()), "overlapping-stay")


@pytest.mark.parametrize(("limit", "hits"), [(6, True), (7, False)])
def test_a_long_stay_has_more_days_than_the_limit(limit: int, hits: bool) -> None:
    said = [(None, f"days 7; limit {limit}")] if hits else []
    assert found(facts(inpatient()), "long-stay", days=limit) == said
    assert not found(facts(), "long-stay", days=limit)


ROUTINE = {"categories": ["01"]}


def idle(active: int, nights: int = 7, **asks: int) -> list[Any]:
    begins = DAY - dt.timedelta(days=nights)
    days = [begins + dt.timedelta(days=n) for n in range(nights)]
    lines = [line("床位费", "01", on=on) for on in days]
    lines += [line(on=days[n]) for n in range(active)] + [line(on=days[0])] * (active > 0)
    known = facts(inpatient(*lines, admitted_on=begins))
    return found(
        known, "idle-days", items=ROUTINE, **({"days_min": 5, "active_percent": 40} | asks)
    )


@pytest.mark.parametrize(
    ("active", "nights", "hits"),
    [(2, 5, False), (1, 5, True), (3, 7, False), (2, 7, True), (0, 5, True), (0, 4, False)],
)
def test_a_bed_is_idle_on_too_many_days(active: int, nights: int, hits: bool) -> None:
    said = [(None, f"active {active}; days {nights}")] if hits else []
    assert idle(active, nights) == said


def test_idle_days_of_a_hundred() -> None:
    assert idle(40, 100) == []
    assert idle(39, 100) == [(None, "active 39; days 100")]
    assert idle(40, 101) == [(None, "active 40; days 101")]
    assert idle(99, 100, active_percent=100) == [(None, "active 99; days 100")]


@pytest.mark.parametrize(
    ("tests_fen", "rest_fen", "said"),
    [
        (9_000, 1_000, "days 3; percent 90"),
        (8_999, 1_001, None),
        (9_999, 1, "days 3; percent 99"),
        (1, 0, "days 3; percent 100"),
    ],
)
def test_a_stay_for_tests_by_its_share(tests_fen: int, rest_fen: int, said: str | None) -> None:
    lines = [line("CT平扫", "03", fen=tests_fen)] + [line("床", "01", fen=rest_fen)] * (
        rest_fen > 0
    )
    known = facts(inpatient(*lines, admitted_on=day(5, 10)))
    asks = {"items": TESTS, "days_max": 3, "percent": 90}
    assert found(known, "tests-only", **asks) == ([(None, said)] if said else [])
    assert not found(known, "tests-only", **(asks | {"days_max": 2}))


def test_a_bill_of_nothing_and_a_red_one_are_no_stay_for_tests() -> None:
    asks = {"items": TESTS, "days_max": 30, "percent": 50}
    for fen in (0, -9_000):
        known = facts(inpatient(line("CT平扫", "03", fen=fen)))
        assert not found(known, "tests-only", **asks)
    assert not found(facts(outpatient(line("CT平扫", "03"))), "tests-only", **asks)
    undated = facts(inpatient(total_fen=0, admitted_on=None))
    assert not found(undated, "tests-only", **asks)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("6", None),
        ("8", None),
        ("5", "days 7; printed 5"),
        (" 9 ", "days 7; printed 9"),
        ("99999", "days 7; printed 99999"),
    ],
)
def test_printed_days_may_differ_by_the_tolerance(printed: str, said: str | None) -> None:
    known = facts(inpatient(hospital_days=printed))
    assert found(known, "printed-days", tolerance_days=1) == ([(None, said)] if said else [])


@pytest.mark.parametrize("printed", ["100000", "７", "-7", "7天", "7.0", ""])
def test_printed_days_that_are_no_number_are_not_compared(printed: str) -> None:
    known = facts(inpatient(hospital_days=printed))
    assert unjudged(known, "printed-days", tolerance_days=1) == ["no-printed-days"]
    assert not found(facts(outpatient(hospital_days=printed)), "printed-days", tolerance_days=1)


@pytest.mark.parametrize(
    ("code", "days_max", "total_fen", "hits"),
    [
        ("j96.000", 7, 1_000, True),
        ("J96.000", 6, 1_000, False),
        ("J96.000", 7, 999, False),
        ("J95.000", 7, 1_000, False),
    ],
)
def test_a_grave_diagnosis_on_a_short_and_cheap_stay(
    code: str, days_max: int, total_fen: int, hits: bool
) -> None:
    asks = {"diagnoses": ["I21", "J96"], "days_max": days_max, "total_fen": total_fen}
    known = facts(inpatient(diagnosis_code=code))
    found_hits = asked(known, "severe-but-short", **asks).hits
    assert [hit.evidence for hit in found_hits] == (
        [{"diagnosis": "J96.000", "days": 7, "total_fen": 1_000}] if hits else []
    )
    assert not found(facts(outpatient(diagnosis_code="J96.000")), "severe-but-short", **asks)


# Groups and amounts


def test_twenty_examples_of_a_group_are_kept_by_day_and_reference() -> None:
    by_day = [GroupExample(f"z{n:02d}", day(4, 25 - n), 100 + n) for n in range(20)]
    same_day = [GroupExample("b", day(4, 1), 1), GroupExample("a", day(4, 1), 2)]
    alike = replace(group(median_fen=100), examples=(*by_day, *same_day))
    (kept,) = evidence_of("out-above", facts(group=alike))
    examples = kept["group"]["examples"]
    assert [one["reference"] for one in examples] == [
        "a", "b", *(f"z{n:02d}" for n in range(19, 1, -1))
    ]  # fmt: skip
    assert examples[0] == {"reference": "a", "service_on": "2026-04-01", "total_fen": 2}


@pytest.mark.parametrize(
    ("total_fen", "above", "below"),
    [(250, False, False), (251, True, False), (40, False, False), (39, False, True)],
)
def test_an_outlier_is_beyond_the_factor(total_fen: int, above: bool, below: bool) -> None:
    known = facts(outpatient(line(fen=total_fen)), group=group(2, 100))
    assert bool(found(known, "above-group", size_min=2, factor_bp=25_000)) is above
    assert bool(found(known, "below-group", size_min=2, factor_bp=4_000)) is below
    assert unjudged(known, "above-group", size_min=3, factor_bp=25_000) == ["small-group"]
    assert unjudged(known, "below-group", size_min=3, factor_bp=4_000) == ["small-group"]


@pytest.mark.parametrize(
    ("total_fen", "amount", "times"),
    [(-25, "-0.25", "-0.25"), (0, "0.00", "0.00"), (1, "0.01", "0.01"), (-250, "-2.50", "-2.50")],
)
def test_times_of_the_median_keep_their_sign(total_fen: int, amount: str, times: str) -> None:
    known = facts(outpatient(total_fen=total_fen), group=group(30, 100))
    assert found(known, "below-group", size_min=30, factor_bp=4_000) == [
        (None, f"amount {amount}; median 1.00; size 30; times {times}")
    ]


def test_a_large_line_is_named_with_its_amount_in_fen() -> None:
    lines = (
        line(),
        line(quantity_e4=10_000, price_e6=10, amount_e4=200_050),
        line(quantity_e4=10_000, price_e6=10, amount_e4=200_000),
        line(quantity_e4=10_000, price_e6=10, amount_e4=199_999),
    )
    result = asked(facts(outpatient(*lines)), "high-line", line_fen=2_000)
    assert [(hit.line_index, hit.en, hit.evidence) for hit in result.hits] == [
        (1, "amount 20.01; limit 20.00", {"amount_fen": 2_001, "limit_fen": 2_000}),
        (2, "amount 20.00; limit 20.00", {"amount_fen": 2_000, "limit_fen": 2_000}),
    ]


@pytest.mark.parametrize(("limit_fen", "hits"), [(1_000, True), (1_001, False)])
def test_a_large_bill_reaches_the_limit(limit_fen: int, hits: bool) -> None:
    expected = [{"total_fen": 1_000, "limit_fen": limit_fen}] if hits else []
    result = asked(facts(), "high-amount", total_fen=limit_fen)
    assert [hit.evidence for hit in result.hits] == expected


@pytest.mark.parametrize(
    ("part_fen", "rest_fen", "said"),
    [
        (700, 300, "amount 7.00; percent 70"),
        (699, 301, None),
        (709, 291, "amount 7.09; percent 70"),
        (700, 299, None),
    ],
)
def test_a_share_of_a_bill_from_its_floor_on(
    part_fen: int, rest_fen: int, said: str | None
) -> None:
    known = facts(outpatient(line("导管", "08", fen=part_fen), line(fen=rest_fen)))
    asks = {"items": {"categories": ["08"]}, "percent": 70, "total_fen": 1_000}
    assert found(known, "share-of-bill", **asks) == ([(None, said)] if said else [])


def test_one_fen_is_a_bill_with_a_share_and_nothing_is_not() -> None:
    asks = {"items": {"categories": ["08"]}, "percent": 1, "total_fen": 1}
    assert found(facts(outpatient(line("管", "08", fen=1))), "share-of-bill", **asks)
    assert not found(facts(outpatient(line("管", "08", fen=0))), "share-of-bill", **asks)
    assert not found(facts(outpatient(line("管", "08", fen=-1))), "share-of-bill", **asks)


# Institutions and staff


@pytest.mark.parametrize(
    ("begins", "ends", "hits"),
    [
        (DAY, DAY, False),
        (day(5, 14), day(12, 31), True),
        (day(1, 1), day(5, 12), True),
        (day(1, 1), day(5, 14), False),
    ],
)
def test_both_days_of_the_agreement_belong_to_it(
    begins: dt.date, ends: dt.date, hits: bool
) -> None:
    known = facts(institution=InstitutionFacts(True, begins, ends))
    said = f"from {begins.isoformat()}; issued 2026-05-13; to {ends.isoformat()}"
    assert found(known, "outside-agreement") == ([(None, said)] if hits else [])


def test_the_day_of_issue_counts_and_not_that_of_the_care() -> None:
    agreed = InstitutionFacts(True, day(1, 1), day(5, 12))
    issued_after = facts(outpatient(visit_on=day(5, 12), issued_on=DAY), institution=agreed)
    assert len(found(issued_after, "outside-agreement")) == 1
    issued_within = facts(outpatient(visit_on=DAY, issued_on=day(5, 12)), institution=agreed)
    assert not found(issued_within, "outside-agreement")


@pytest.mark.parametrize("agreement", [(None, day(12, 31)), (day(1, 1), None), (None, None)])
def test_half_an_agreement_is_not_judged(agreement: tuple[Any, Any]) -> None:
    known = facts(institution=InstitutionFacts(True, *agreement))
    assert unjudged(known, "outside-agreement") == ["no-agreement"]


@pytest.mark.parametrize(("level", "hits"), [(1, True), (2, True), (3, False)])
def test_lines_beyond_the_level_of_the_hospital_are_named(level: int, hits: bool) -> None:
    known = facts(outpatient(line(), line("项"), line("项")), hospital_level=level)
    said = [(1, f"level {level}"), (2, f"level {level}")] if hits else []
    assert found(known, "level-item", items=WORD, level_min=3) == said
    result = asked(known, "level-item", items=WORD, level_min=3)
    assert [hit.evidence for hit in result.hits] == [{"level": level}] * len(said)
    assert not found(facts(hospital_level=None), "level-item", items=WORD, level_min=3)


@pytest.mark.parametrize(("cashier", "checker"), [("", "复核员"), ("收费员", ""), (" ", " ")])
def test_two_people_are_told_apart_only_where_both_are_named(cashier: str, checker: str) -> None:
    known = facts(outpatient(cashier=cashier, checker=checker))
    assert unjudged(known, "one-person") == ["no-staff"]


@pytest.mark.parametrize("role", ["cashier", "checker"])
def test_each_line_of_a_doctor_who_took_the_money_is_named(role: str) -> None:
    lines = (line(doctor_code="D1"), line(doctor_code="D2"), line(doctor_code=""),
             line(doctor_code="D1"))  # fmt: skip
    known = facts(outpatient(*lines, **{role: " D1 "}))
    result = asked(known, "doctor-is-cashier")
    assert [(hit.line_index, hit.evidence) for hit in result.hits] == [
        (0, {"doctor": "D1"}),
        (3, {"doctor": "D1"}),
    ]


def test_a_line_without_a_doctor_is_not_ordered_by_an_unnamed_cashier() -> None:
    bill = outpatient(line(doctor_code="D1"), line(doctor_code=""), cashier="", checker=" ")
    assert not found(facts(bill), "doctor-is-cashier")


@pytest.mark.parametrize(
    ("header", "evidence"),
    [
        ({"settlement_number": "S1"}, {"fund_pay_fen": 0, "has_settlement": 1}),
        ({"fund_pay_fen": 1}, {"fund_pay_fen": 1, "has_settlement": 0}),
        ({"fund_pay_fen": 5, "settlement_number": "S1"}, {"fund_pay_fen": 5, "has_settlement": 1}),
    ],
)
def test_what_shows_a_settlement_at_the_counter(
    header: dict[str, Any], evidence: dict[str, int]
) -> None:
    known = facts(outpatient(**header))
    result = asked(known, "settled-online", reasons=["08", "09"])
    assert [hit.evidence for hit in result.hits] == [evidence]
    for reason in ("08", "09"):
        supplementary = replace(known, claim=ClaimFacts(manual_reason=reason))
        assert not found(supplementary, "settled-online", reasons=["08", "09"])


# Operations and other funds

LONELY = {"items": {"words": ["术"]}, "companions": {"words": ["麻醉"]}}


def test_every_lonely_line_is_named_with_its_code() -> None:
    lines = (line("甲术", code="A"), line(), line("乙术", code="B"))
    result = asked(facts(inpatient(*lines)), "lonely-item", **LONELY)
    assert [(hit.line_index, hit.evidence) for hit in result.hits] == [
        (0, {"code": "A"}),
        (2, {"code": "B"}),
    ]
    assert not found(facts(inpatient(*lines, line("麻醉"))), "lonely-item", **LONELY)
    assert not found(facts(inpatient(line("麻醉"))), "lonely-item", **LONELY)


def test_every_line_of_another_fund_is_named_with_its_code() -> None:
    lines = (line(), line("体检甲", code="A"), line("体检乙", code="B"))
    result = asked(facts(outpatient(*lines)), "other-fund-item", items={"words": ["体检"]})
    assert [(hit.line_index, hit.evidence) for hit in result.hits] == [
        (1, {"code": "A"}),
        (2, {"code": "B"}),
    ]


@pytest.mark.parametrize(("kind", "hits"), [("51", True), ("9107", True), ("5", False)])
def test_a_visit_of_another_fund_is_named_by_its_category(kind: str, hits: bool) -> None:
    known = facts(outpatient(medical_type=kind))
    for check in ("other-fund-visit", "injury-visit"):
        result = asked(known, check, medical_types=["51", "9107"])
        assert [(hit.en, hit.evidence) for hit in result.hits] == (
            [(f"medical_type {kind}", {"medical_type": kind})] if hits else []
        )
