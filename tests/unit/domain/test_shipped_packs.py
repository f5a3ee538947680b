"""The shipped packs say what their sources say, no more, and are never edited under their name."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from pathlib import Path
from typing import Any, Final

import pytest

from backend.adapters.catalogue import POLICY_DIRECTORY, load_catalogue
from backend.adapters.policy_packs import load_pack, load_packs, pack_paths
from backend.domain.adjudication import adjudicate
from backend.domain.explanation import ExplanationOfBenefits
from backend.domain.invoice import VisitKind
from backend.domain.open_points import OpenEffect, missing_rule
from backend.domain.person import DatedStatus, History, PersonSnapshot
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.record_reader import MalformedDataError
from backend.domain.selector import NO_STATUS, Case
from tests.unit.domain import benefit_cases as case

HASHES: Final = {
    "beijing-2026": "39b9937b13e77e733ef5b0a9c57578f952beeb694d977e2e50ea9dfdf4a5d5a3",
    "nanchang-2026": "eb4288a2c652e2df87c9a5aa652f6dfd4945ccdfd6ad104f0eb71a62baad3c62",
    "quzhou-2026": "1db9d709139aed28895c03e5639b07f572d4d91868aa31753e12fa8edc2e48ea",
    "shuangyashan-2023": "633edc826b9782ef9f07b58f410a8f1af8f535e7a190612fa38d73288a86155e",
    "taiyuan-2023": "a19e5d2c47f1d73595f1790789f805d56d63379772e1befd71a0123ca02ddd5c",
}
CATALOGUE: Final = "c0d5f6dbd307142db387fe345729e3db7b6dd686780c5f422c3528f122152fb3"
PACKS: Final = {pack.pack_id: pack for pack in load_packs()}
CLASS_A: Final = "XJ01DDD947B001010190651"
INPATIENT: Final = VisitKind.INPATIENT


def test_a_shipped_pack_is_edited_only_under_a_new_name() -> None:
    """A new hash here is an edited pack: give the change a new pack_id and date instead."""
    found = {pack_id: pack.policy_hash.hex() for pack_id, pack in PACKS.items()}
    assert found == HASHES
    assert load_catalogue().digest.hex() == CATALOGUE


def test_files_are_named_after_their_packs() -> None:
    assert [path.stem for path in pack_paths()] == sorted(PACKS)


def bill(yuan: int, kind: VisitKind = INPATIENT, level: int = 3, **changes: Any) -> Any:
    changes.setdefault("visit_date", case.DAY)
    return case.bill(case.line(0, yuan * 100, code=CLASS_A), kind=kind, level=level, **changes)


def in_year(pack: PolicyPack, *bills: Any, person: PersonSnapshot | None = None) -> Any:
    """Each bill's explanation; every one sees those before it."""
    history, found = History(), []
    for number, one in enumerate(bills):
        eob = adjudicate(pack, one, person or case.person(), history)
        history = history.with_entries([eob.history_entry(str(number))])
        found.append(eob)
    return found


def fen(found: list[ExplanationOfBenefits]) -> list[tuple[int, int]]:
    return [(eob.deductible_fen, eob.pool_paid_fen) for eob in found]


def codes(eob: ExplanationOfBenefits) -> list[str]:
    return [pend.code for pend in eob.pend_reasons]


# --- Nanchang -----------------------------------------------------------------------------------

NANCHANG = PACKS["nanchang-2026"]


@pytest.mark.parametrize(
    ("insurance", "level", "deductible", "paid"),
    [
        # 10,000.00 in scope: (10,000 - deductible) x ratio of domain reference 3.4
        ("310", 1, 20_000, 931_000), ("310", 2, 50_000, 855_000), ("310", 3, 80_000, 782_000),
        ("390", 1, 10_000, 891_000), ("390", 2, 40_000, 768_000), ("390", 3, 60_000, 564_000),
    ],
)  # fmt: skip
def test_nanchang_stays(insurance: str, level: int, deductible: int, paid: int) -> None:
    person = case.person(insurance)
    (eob,) = in_year(NANCHANG, bill(10_000, level=level), person=person)
    assert (eob.deductible_fen, eob.pool_paid_fen, codes(eob)) == (deductible, paid, [])


def test_nanchang_outpatient_year_of_a_retired_employee() -> None:
    visits = [bill(1_300, VisitKind.OUTPATIENT), bill(10_000, VisitKind.OUTPATIENT)]
    found = in_year(NANCHANG, *visits, person=case.person("310", "1102"))
    # (1,300 - 300) x (55 + 5) % = 600; then the rest of the 3,000 of the retired
    assert fen(found) == [(30_000, 60_000), (0, 240_000)]


def test_nanchang_resident_outpatient_is_stated_for_level_1_alone() -> None:
    person = case.person("390")
    (eob,) = in_year(NANCHANG, bill(100, VisitKind.OUTPATIENT, 1), person=person)
    assert (eob.deductible_fen, eob.paid_fen) == (0, 6_000)
    with pytest.raises(PolicyError, match="stated for level 1 and below only") as caught:
        in_year(NANCHANG, bill(100, VisitKind.OUTPATIENT, 2), person=person)
    assert caught.value.zh.endswith("二级、三级没有写明，请转人工办理。")


@pytest.mark.parametrize(
    ("status", "paid"),
    [("long-term-filed", 782_000), ("referred-filed", 697_000), ("emergency-not-filed", 697_000),
     ("own-choice", 612_000)],
)  # fmt: skip
def test_nanchang_care_elsewhere_is_paid_first(status: str, paid: int) -> None:
    # 10,000 less 0, 10 or 20 %, less 800, x 85 %
    (eob,) = in_year(NANCHANG, bill(10_000, remote_status=status))
    assert eob.pool_paid_fen == paid


def test_nanchang_layer_2_of_an_employee() -> None:
    (eob,) = in_year(NANCHANG, bill(300_000))
    # The pool stops at 100,000; of the other 200,000 the part above 100,000 is paid at 90 %.
    assert (eob.pool_paid_fen, eob.layer2_paid_fen, codes(eob)) == (10_000_000, 9_000_000, [])


@pytest.mark.parametrize(
    ("hardship", "paid"),
    # In scope 60,000 at level 3: (60,000 - 600) x 60 % = 35,640; 24,360 are left.
    # (24,360 - 17,000) x 60 %, for the poor (24,360 - 8,500) x 65 %
    [("", 441_600), ("low-income", 1_030_900)],
)
def test_nanchang_layer_2_of_a_resident_waits_for_a_person(hardship: str, paid: int) -> None:
    statuses = (DatedStatus(hardship, case.LONG_AGO, case.FAR),) if hardship else ()
    person = case.person("390", hardship=statuses)
    (eob,) = in_year(NANCHANG, bill(60_000), person=person)
    assert (eob.pool_paid_fen, eob.layer2_paid_fen) == (3_564_000, paid)
    assert codes(eob) == ["policy-open"]
    assert "17,000" in eob.pend_reasons[0].zh or "8,500" in eob.pend_reasons[0].zh


@pytest.mark.parametrize(
    ("rank", "kind", "share_bp"),
    [("section", "1101", 9_600), ("section", "1102", 9_800), ("county", "1101", 9_800),
     ("county", "1102", 10_000), ("above", "1101", 10_000), ("above", "1102", 10_000)],
)  # fmt: skip
def test_nanchang_supplement_of_civil_servants(rank: str, kind: str, share_bp: int) -> None:
    statuses = (DatedStatus(rank, case.LONG_AGO, case.FAR),)
    (eob,) = in_year(
        NANCHANG, bill(10_000), person=case.person("310", kind, civil_servant=statuses)
    )
    # 7,820 of the pool leave 2,180
    assert eob.supplement_paid_fen == 218_000 * share_bp // 10_000


@pytest.mark.parametrize(
    ("diagnosis", "deductibles"),
    [("F20.9", [0, 0]), ("Z51.1", [80_000, 0]), ("Z51.0", [80_000, 0]), ("K35.8", [80_000] * 2)],
)
def test_nanchang_stays_without_deductible(diagnosis: str, deductibles: list[int]) -> None:
    stays = [bill(10_000, diagnosis_code=diagnosis) for _ in range(2)]
    assert [eob.deductible_fen for eob in in_year(NANCHANG, *stays)] == deductibles


# --- Beijing ------------------------------------------------------------------------------------

BEIJING = PACKS["beijing-2026"]


@pytest.mark.parametrize(
    ("kind", "level", "paid"),
    [
        # (21,300 - 1,300) x the first band's ratio
        ("1101", 1, 1_800_000), ("1101", 2, 1_740_000), ("1101", 3, 1_700_000),
        ("1102", 1, 1_940_000), ("1102", 2, 1_922_000), ("1102", 3, 1_910_000),
    ],
)  # fmt: skip
def test_beijing_first_band(kind: str, level: int, paid: int) -> None:
    (eob,) = in_year(BEIJING, bill(21_300, level=level), person=case.person("310", kind))
    assert (eob.deductible_fen, eob.pool_paid_fen, codes(eob)) == (130_000, paid, [])


def test_beijing_later_stays_of_the_year_bear_650() -> None:
    found = in_year(BEIJING, bill(5_000), bill(5_000), bill(5_000))
    # 3,700 and twice 4,350, x 85 %
    assert fen(found) == [(130_000, 314_500), (65_000, 369_750), (65_000, 369_750)]


@pytest.mark.parametrize(
    ("kind", "paid"),
    [
        # level 3, 50,000: 28,700 x 85 % + 10,000 x 90 % + 10,000 x 95 %
        ("1101", 2_439_500 + 900_000 + 950_000),
        # 28,700 x 95.5 % as the table says, then personal shares x 0.6: 94 % and 97 %
        ("1102", 2_740_850 + 940_000 + 970_000),
    ],
)
def test_beijing_upper_bands_wait_for_a_person(kind: str, paid: int) -> None:
    (eob,) = in_year(BEIJING, bill(50_000), person=case.person("310", kind))
    assert (eob.pool_paid_fen, codes(eob)) == (paid, ["policy-open"])
    assert "30,000" in eob.pend_reasons[0].zh
    assert "封顶" in eob.pend_reasons[0].zh


def test_beijing_first_band_ends_at_30_000_and_needs_nobody_up_to_there() -> None:
    at, above = in_year(BEIJING, bill(30_000)), in_year(BEIJING, bill(30_001))
    # 28,700 x 85 %, and 1 x 90 % more
    assert [(eob.pool_paid_fen, codes(eob)) for eob in (*at, *above)] == [
        (2_439_500, []),
        (2_439_590, ["policy-open"]),
    ]


def test_beijing_second_stay_of_a_dear_year_waits_for_a_person() -> None:
    found = in_year(BEIJING, bill(20_000), bill(20_000))
    assert [codes(eob) for eob in found] == [[], ["policy-open"]]


@pytest.mark.parametrize(
    ("insurance", "kind", "message"),
    [("390", INPATIENT, "Residents' benefits"), ("310", VisitKind.OUTPATIENT, "outpatient")],
)
def test_beijing_says_what_it_has_no_rule_for(
    insurance: str, kind: VisitKind, message: str
) -> None:
    with pytest.raises(PolicyError, match=message):
        in_year(BEIJING, bill(100, kind), person=case.person(insurance))


def test_beijing_has_no_rule_for_care_elsewhere() -> None:
    with pytest.raises(PolicyError, match="no remote status own-choice"):
        in_year(BEIJING, bill(100, remote_status="own-choice"))


# --- Shuangyashan and Taiyuan: requirement A16 and no more ---------------------------------------


@pytest.mark.parametrize(
    ("kind", "paid"),
    # (2,600 - 600) x 70 % and x 75 %; then the rest of 2,000
    [("1101", [140_000, 60_000]), ("1102", [150_000, 50_000])],
)
def test_shuangyashan_has_four_figures_and_a_person(kind: str, paid: list[int]) -> None:
    visits = [
        bill(2_600, VisitKind.OUTPATIENT, 2, visit_date=dt.date(2023, month, 1)) for month in (3, 4)
    ]
    found = in_year(PACKS["shuangyashan-2023"], *visits, person=case.person("310", kind))
    assert [eob.pool_paid_fen for eob in found] == paid
    assert [codes(eob) for eob in found] == [["policy-open"]] * 2


def test_taiyuan_gives_three_figures_and_no_amount() -> None:
    pack = PACKS["taiyuan-2023"]
    assert (pack.deductibles, pack.ratios, pack.caps) == ((), (), ())
    (point,) = [p for p in pack.open_points if p.effect is OpenEffect.NO_RULE]
    assert point.figures == ("50%", "72%", "81%")
    for insurance, kind in itertools.product(("310", "390"), VisitKind):
        with pytest.raises(PolicyError, match="72, 81 and 50 %"):
            pack.rules_for(Case(insurance, str(kind), "1101", 3))


# --- all of them --------------------------------------------------------------------------------

_PEOPLE = (("310", "1101"), ("310", "1102"), ("390", "resident"))


@pytest.mark.parametrize("pack_id", sorted(HASHES))
def test_a_case_without_rule_is_named_by_an_open_point(pack_id: str) -> None:
    pack = PACKS[pack_id]
    for (insurance, person), kind, level in itertools.product(
        _PEOPLE, (VisitKind.OUTPATIENT, INPATIENT), (1, 2, 3)
    ):
        one = Case(insurance, str(kind), person, level)
        try:
            pack.rules_for(one)
        except PolicyError:
            assert missing_rule(pack.open_points, one) is not None, one


@pytest.mark.parametrize("pack_id", sorted(HASHES))
@pytest.mark.parametrize("part", ["hardship", "ranks"])
def test_layers_without_figures_go_to_a_person(pack_id: str, part: str) -> None:
    """Medical assistance nowhere has figures; the supplement has them in Nanchang alone."""
    pack = PACKS[pack_id]
    if pack_id.endswith("-2023") or (pack_id, part) == ("nanchang-2026", "ranks"):
        return
    points = [p for p in pack.open_points if p.effect is OpenEffect.PERSON]
    one = Case("310", "inpatient", "1101", 3)
    for code in ("low-income", "extreme-poor") if part == "hardship" else ("section", "above"):
        held = one._replace(hardship=code) if part == "hardship" else one._replace(rank=code)
        assert any(point.selector.matches(held) for point in points)
    assert not any(
        point.selector.matches(one) and point.year_in_scope_over_fen is None for point in points
    ), f"persons without {NO_STATUS} need no figure of theirs"


def test_a_quzhou_claim_of_a_poor_person_waits_for_a_person() -> None:
    statuses = (DatedStatus("low-income", case.LONG_AGO, case.FAR),)
    (eob,) = in_year(
        PACKS["quzhou-2026"], bill(1_000), person=case.person("390", hardship=statuses)
    )
    assert codes(eob) == ["policy-open"]
    assert "医疗救助" in eob.pend_reasons[0].zh
    (eob,) = in_year(PACKS["quzhou-2026"], bill(1_000), person=case.person("390"))
    assert codes(eob) == []


def test_a_bill_with_nothing_in_scope_needs_no_open_figure() -> None:
    statuses = (DatedStatus("low-income", case.LONG_AGO, case.FAR),)
    mask = case.bill(case.line(0, 800, code="C08019962018338764426708863"), kind=INPATIENT, level=3)
    person = case.person("390", hardship=statuses)
    assert codes(adjudicate(PACKS["quzhou-2026"], mask, person, History())) == []


# --- the section "open" -------------------------------------------------------------------------


def point(**changes: Any) -> dict[str, Any]:
    return {
        "open_id": "o", "effect": "note", "source": "s", "zh": "没有写明", "en": "not stated",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([point(effect="guess")], "/open/0/effect: is not one of"),
        ([point(source="x")], "/open/0/source: names no source"),
        ([point(), point()], "/open/1/open_id: is used twice"),
        ([point(figures=[])], "/open/0/figures: is not a list with entries"),
        ([point(remote_statuses=["moon"])], "/open/0/remote_statuses: names a remote status"),
        ([point(year_in_scope_over_fen=-1)], "/open/0/year_in_scope_over_fen"),
        ([point(hardship=["rich"])], "/open/0/hardship/0"),
        ([point(effect="no-rule")], "/open: says no-rule of"),
        ([point(effect="no-rule", insurance_types=["390"], year_in_scope_over_fen=1)],
         "/open/0/effect: no-rule goes by person and visit alone"),
        ([point(en=5)], "/open/0/en: is not a text"),
        ([point(why="x")], "/open/0/why: is an unknown field"),
        ("all", "/open: is not a list"),
    ],
)  # fmt: skip
def test_a_wrong_open_point_is_refused_with_its_path(points: Any, message: str) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_policy_pack(case.pack_json(open=points))


def test_an_open_point_is_limited_to_its_remote_status() -> None:
    points = [point(effect="person", remote_statuses=["emergency-not-filed"])]
    pack = case.pack(open=points)
    for status, expected in (("local", []), ("emergency-not-filed", ["policy-open"])):
        one = case.bill(case.line(0, 100), remote_status=status)
        assert codes(adjudicate(pack, one, case.person(), History())) == expected


def test_two_files_of_one_name_stop_all(tmp_path: Path) -> None:
    value = json.loads((POLICY_DIRECTORY / "taiyuan-2023.json").read_text(encoding="utf-8"))
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    assert load_pack(tmp_path / "a.json").pack_id == "taiyuan-2023"
    with pytest.raises(MalformedDataError, match="taiyuan-2023 is in two files"):
        load_packs(tmp_path)
