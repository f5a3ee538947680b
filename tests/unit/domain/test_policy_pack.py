"""Reading packs, persons, histories and catalogues: what is wrong is named with its path."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.catalogue import POLICY_DIRECTORY, load_catalogue
from backend.adapters.policy_packs import load_pack, load_packs
from backend.domain.catalogue import parse_catalogue
from backend.domain.invoice import VisitKind
from backend.domain.person import parse_history, parse_person
from backend.domain.policy import PolicyError
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.record_reader import MalformedDataError
from backend.domain.selector import Case
from tests.unit.domain import benefit_cases as case

QUZHOU = POLICY_DIRECTORY / "quzhou-2026.json"


def test_quzhou_ships_with_every_case_of_the_table() -> None:
    (pack,) = [pack for pack in load_packs() if pack.region == "330800"]
    assert (pack.pack_id, pack.region) == ("quzhou-2026", "330800")
    expected = {
        ("310", VisitKind.OUTPATIENT, "1101", 1): (30_000, 7_000),
        ("310", VisitKind.OUTPATIENT, "1101", 2): (30_000, 6_000),
        ("310", VisitKind.OUTPATIENT, "1102", 3): (15_000, 5_500),
        ("390", VisitKind.OUTPATIENT, "resident", 1): (10_000, 5_000),
        ("390", VisitKind.OUTPATIENT, "resident", 3): (10_000, 3_000),
        ("310", VisitKind.INPATIENT, "1101", 3): (80_000, 8_400),
        ("310", VisitKind.INPATIENT, "1102", 1): (40_000, 9_200),
        ("390", VisitKind.INPATIENT, "resident", 2): (40_000, 7_500),
    }
    for (insurance, kind, person, level), (standard, ratio_bp) in expected.items():
        rules = pack.rules_for(Case(insurance, str(kind), person, level))
        band = rules.ratio.bands[0]
        assert rules.deductible.standard_fen == standard
        assert rules.ratio.effective_ratio(band, is_retired=person == "1102") == ratio_bp * 10_000
    assert {rule.status: rule.value_bp for rule in pack.remote} == {
        "local": 10_000,
        "long-term-filed": 10_000,
        "referred-filed": 9_000,
        "emergency-not-filed": 8_500,
        "own-choice": 7_000,
    }


def test_policy_hash_is_sha256_of_the_sorted_compact_json() -> None:
    value = json.loads(QUZHOU.read_text(encoding="utf-8"))
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert load_pack(QUZHOU).policy_hash == hashlib.sha256(text.encode()).digest()


def clocks(**deadline: Any) -> dict[str, Any]:
    entry = {"rule_id": "deadline", "source": "s"} | deadline
    return {"promise_working_days": 5, "legal_working_days": 30, "claim_deadline": entry}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "yichu-policy-2"}, "/format: is not one of"),
        ({"surprise": "x"}, "/surprise: is an unknown field"),
        ({"effective_from": "2026-13-01"}, "/effective_from: is not a YYYY-MM-DD date"),
        ({"effective_to": "2025-12-31"}, "/effective_to: is before effective_from"),
        ({"class_b": {"rule_id": "b", "source": "s", "selfpay_bp": 10_001}}, "/class_b/selfpay_bp"),
        ({"class_b": {"rule_id": "b", "source": "s", "selfpay_bp": 0.1}}, "has no canonical form"),
        ({"class_b": {"rule_id": "b", "source": "no", "selfpay_bp": 1}}, "/class_b/source: names"),
        ({"deductibles": [case.deductible(0), case.deductible(1, rule_id="d2")]}, "has 2 rules"),
        ({"deductibles": []}, "/ratios: and deductibles do not both have"),
        ({"deductibles": [case.deductible(-1)]}, "/deductibles/0/standard_fen"),
        ({"deductibles": [case.deductible(0, "weekly")]}, "/deductibles/0/mode"),
        ({"deductibles": [case.deductible(0, merging="some")]}, "/deductibles/0/merging"),
        ({"deductibles": [case.deductible(0, hospital_levels=[4])]}, "/hospital_levels/0"),
        ({"deductibles": [case.deductible(0, hospital_levels=[])]}, "/hospital_levels: is not"),
        ({"deductibles": [case.deductible(0, year_celing_fen=1)]}, "year_celing_fen: is an unkno"),
        ({"ratios": [case.ratio((1, 5_000))]}, "/ratios/0/bands/0/over_fen: is not 0"),
        ({"ratios": [case.ratio((0, 5_000), (0, 6_000))]}, "/ratios/0/bands: has no bands"),
        ({"ratios": [case.ratio()]}, "/ratios/0/bands"),
        ({"ratios": [case.ratio((0, 10_001))]}, "/ratios/0/bands/0/ratio_bp"),
        ({"ratios": [case.ratio((0, 1), rule_id="d")]}, "/ratios/0/rule_id: is used twice"),
        ({"ratios": "all"}, "/ratios: is not a list"),
        ({"caps": [{"rule_id": "c", "source": "s"}]}, "/caps/0/limit_fen: is missing"),
        ({"remote": {"model": "factor", "statuses": []}}, "/remote/statuses: lacks local"),
        ({"remote": {"model": "luck", "statuses": []}}, "/remote/model"),
        ({"layer2": [case.layer2(1, (0, 1), fund="maf")]}, "/layer2/0/fund"),
        ({"catalogue": {"mode": "guess"}}, "/catalogue/mode"),
        (
            {"catalogue": {"mode": "catalogue", "file": "../x.json", "sha256": "00" * 32}},
            "/catalogue/file: is not a plain file name",
        ),
        (
            {"catalogue": {"mode": "catalogue", "file": "x.json", "sha256": "00" * 32}},
            "/catalogue/sha256: is not the catalogue's digest",
        ),
        ({"class_b": case.tiers("line-amount", (1, 1_000))}, "/class_b/bands/0/over_fen: is not 0"),
        ({"class_b": case.tiers("weight", (0, 1_000), (1, 2_000))}, "/class_b/base: is not one of"),
        ({"class_b": case.tiers("line-amount")}, "/class_b/bands: has no bands"),
        ({"class_b": case.tiers("line-amount", (0, 10_001))}, "/class_b/bands/0/selfpay_bp"),
        ({"class_b": {"rule_id": "b", "source": "s"}}, "/class_b/selfpay_bp: is missing"),
        (
            {"class_b": case.tiers("line-amount", (0, 1)) | {"selfpay_bp": 1}},
            "/class_b/selfpay_bp: is an unknown field",
        ),
        ({"layer3": [case.aid((0, 1), surprise=1)]}, "/layer3/0/surprise: is an unknown field"),
        ({"layer3": [case.aid((0, 1), hardship=["rich"])]}, "/layer3/0/hardship/0: is not one of"),
        ({"layer3": [case.aid((0, 1), hardship=["none"])]}, "/layer3/0/hardship: does not say for"),
        ({"layer3": [case.aid((0, 1), ranks=["section"])]}, "/layer3/0/ranks: is an unknown"),
        ({"layer3": [case.aid((0, 10_001))]}, "/layer3/0/bands/0/ratio_bp"),
        ({"layer3": [case.aid((5, 1), (5, 2))]}, "/layer3/0/bands: has no bands, or they do not"),
        ({"layer3": [case.aid((0, 1), base="month")]}, "/layer3/0/base: is not one of"),
        ({"layer3": [case.aid((0, 1)), case.aid((0, 1), rule_id="a2")]}, "/layer3: has 2 rules"),
        ({"supplement": [case.supplement((0, 1), ranks=["king"])]}, "/supplement/0/ranks/0"),
        ({"supplement": [case.supplement((0, 1), cap_fen=-1)]}, "/supplement/0/cap_fen"),
        (
            {"supplement": [case.supplement((0, 1)), case.supplement((0, 1), rule_id="s2")]},
            "/supplement: has 2 rules for 310/1101/outpatient/1",
        ),
        ({"layer2": [case.layer2(1, (0, 1), hardship=["none"])]}, "/layer2: leaves out some perso"),
        (
            {
                "layer2": [
                    case.layer2(1, (0, 1)),
                    case.layer2(1, (0, 1), rule_id="x", hardship=["low-income"]),
                ]
            },
            "/layer2: has 2 rules",
        ),
        (
            {"ratios": [case.ratio((0, 1), hardship=["none"])]},
            "/ratios: and deductibles do not both have",
        ),
        (
            {"ratios": [case.ratio((0, 1), retired_share_bp=1, retired_bonus_bp=1)]},
            "/ratios/0/retired_share_bp: and retired_bonus_bp exclude each other",
        ),
        ({"ratios": [case.ratio((0, 1), retired_share_bp=10_001)]}, "/ratios/0/retired_share_bp"),
        (
            {
                "ratios": [
                    case.ratio()
                    | {"bands": [{"over_fen": 0, "ratio_bp": 1, "retired_ratio_bp": 10_001}]}
                ]
            },
            "/ratios/0/bands/0/retired_ratio_bp",
        ),
        (
            {"deductibles": [case.deductible(0, "per-year", later_standard_fen=1)]},
            "/deductibles/0/later_standard_fen: belongs to mode per-visit alone",
        ),
        (
            {"deductibles": [case.deductible(0, stops_above_standard=1)]},
            "/deductibles/0/stops_above_standard: belongs to mode once-per-year-topped-up",
        ),
        (
            {
                "deductibles": [
                    case.deductible(
                        0,
                        waivers=[{"rule_id": "w", "source": "s", "diagnosis_prefixes": ["cancer"]}],
                    )
                ]
            },
            "/deductibles/0/waivers/0/diagnosis_prefixes: are no prefixes",
        ),
        (
            {
                "deductibles": [
                    case.deductible(
                        0,
                        waivers=[
                            {
                                "rule_id": "d",
                                "source": "s",
                                "diagnosis_prefixes": ["F"],
                                "from_stay": 0,
                            }
                        ],
                    )
                ]
            },
            "/waivers/0/from_stay",
        ),
        ({"clocks": clocks(months=0)}, "/clocks/claim_deadline/months: is not a whole number"),
        ({"clocks": clocks(months=1, next_year_until="06-30")}, "give one of them"),
        ({"clocks": clocks()}, "give one of them"),
        ({"clocks": clocks(next_year_until="02-29")}, "is not an MM-DD of every year"),
        ({"clocks": clocks(next_year_until="June")}, "is not an MM-DD of every year"),
        ({"clocks": clocks(months=1, days=3)}, "/clocks/claim_deadline/days: is an unknown"),
        ({"clocks": clocks(months=1, source="x")}, "/clocks/claim_deadline/source: names no"),
        ({"clocks": {"promise_working_days": 0, "legal_working_days": 1}}, "promise_working_days"),
    ],
)
def test_wrong_pack_is_refused_with_its_path(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_policy_pack(case.pack_json(**changes))


def test_every_fault_of_a_pack_is_listed_at_once() -> None:
    with pytest.raises(MalformedDataError) as caught:
        parse_policy_pack(case.pack_json(region=5, pack_id="x" * 65, layer2=7))
    assert {path for path, _, _ in caught.value.faults} == {"/region", "/pack_id", "/layer2"}


def test_faults_of_the_later_sections_are_listed_together() -> None:
    with pytest.raises(MalformedDataError) as caught:
        parse_policy_pack(
            case.pack_json(
                class_b=case.tiers("x", (0, 1)),
                layer3=[case.aid((0, 1), source="no")],
                supplement=[case.supplement((0, 1), ranks=[])],
                clocks=clocks(),
            )
        )
    assert {path for path, _, _ in caught.value.faults} == {
        "/class_b/base", "/layer3/0/source", "/supplement/0/ranks", "/clocks/claim_deadline/months",
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, [], "pack", 7])
def test_pack_that_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(MalformedDataError, match="is not an object"):
        parse_policy_pack(value)


def test_pack_with_an_edited_catalogue_is_refused(tmp_path: Path) -> None:
    for name in ("quzhou-2026.json", "catalogue-sample.json"):
        shutil.copy(POLICY_DIRECTORY / name, tmp_path)
    file = tmp_path / "catalogue-sample.json"
    file.write_text(file.read_text(encoding="utf-8").replace("1260,", "1261,", 1), encoding="utf-8")
    with pytest.raises(MalformedDataError, match="is not the catalogue's digest"):
        load_pack(tmp_path / "quzhou-2026.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "POLICY PACK"), (b'{"a": 1.5}', "POLICY PACK"), (b'{"a":1,"a":1}', "POLICY PACK")],
)
def test_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "pack.json"
    file.write_bytes(content)
    with pytest.raises(MalformedDataError, match=message):
        load_pack(file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedDataError, match="cannot be read"):
        load_pack(tmp_path / "none.json")


def test_a_pack_without_rule_for_a_case_says_so() -> None:
    only = {"person_types": ["1101"], "insurance_types": ["310"]}
    pack = case.pack(deductibles=[case.deductible(0, **only)], ratios=[case.ratio((0, 1), **only)])
    assert pack.rules_for(Case("310", "outpatient", "1101", 1)).deductible.rule_id == "d"
    with pytest.raises(PolicyError, match="exactly one rule"):
        pack.rules_for(Case("390", "outpatient", "resident", 1))


def test_sample_catalogue_says_that_it_is_one_and_has_every_kind() -> None:
    sample = load_catalogue()
    assert sample.is_sample
    assert len(sample.items) >= 150
    assert {item.level for item in sample.items} == {"01", "02", "03"}
    lengths = {"X": 23, "Z": 20, "0": 15, "C": 27}
    assert all(len(item.code) == lengths[item.code[0]] for item in sample.items)
    assert {item.code[0] for item in sample.items} == set(lengths)
    assert {"陪护床", "特需病房床位费"} <= {entry.name for entry in sample.negative_list}


def test_item_is_found_by_code_or_alias_within_its_days() -> None:
    sample = load_catalogue()
    alias, code = sample.aliases[0].alias, sample.aliases[0].code
    day = dt.date(2026, 6, 1)
    found = sample.find(alias, day)
    assert found is not None
    assert found.code == code
    assert sample.find("NO-SUCH", day) is None
    assert sample.find(code, dt.date(1999, 1, 1)) is None
    entry = sample.negative_list[0]
    assert sample.find_negative(entry.code, day) is entry
    assert sample.find_negative(entry.code, dt.date(1999, 1, 1)) is None


def _catalogue(**changes: Any) -> dict[str, Any]:
    item = {
        "code": "A", "name": "a", "unit": "x", "price_fen": 1, "level": "01",
        "category_code": "09", "valid_from": "2026-01-01", "valid_to": "2026-06-30",
    }  # fmt: skip
    return {
        "format": "yichu-catalogue-1",
        "catalogue_id": "c",
        "items": [item | changes.pop("item", {}), *changes.pop("more", [])],
    } | changes


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (_catalogue(item={"level": "04"}), "/items/0/level"),
        (_catalogue(item={"selfpay_bp": 10_001}), "/items/0/selfpay_bp"),
        (_catalogue(item={"price": 1}), "/items/0/price: is an unknown field"),
        (_catalogue(aliases=[{"alias": "B", "code": "Z"}]), "B does not lead to an item"),
        (_catalogue(aliases=[{"alias": "A", "code": "A"}]), "A does not lead to an item"),
        (_catalogue(more=_catalogue()["items"]), "overlaps the code's validity"),
        (_catalogue(sample=2), "/sample"),
    ],
)
def test_wrong_catalogue_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_catalogue(value)


def test_item_has_versions_by_date() -> None:
    first = _catalogue()["items"][0]
    second = first | {"level": "02", "valid_from": "2026-07-01", "valid_to": "2026-12-31"}
    parsed = parse_catalogue(_catalogue(more=[second]))
    levels = [parsed.find("A", dt.date(2026, month, 1)) for month in (6, 7)]
    assert [item.level if item else "" for item in levels] == ["01", "02"]


def test_person_and_history_are_read_back_as_written() -> None:
    person = case.person()
    history = parse_history(
        {"format": "yichu-history-1", "entries": [case.entry(stay_number="ZY1").to_record()]}
    )
    assert parse_person(person.to_record()) == person
    assert parse_history(history.to_record()) == history
    assert len(person.digest()) == len(history.digest()) == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "x"}, "/format"),
        ({"cover": [{"insurance_type": "310", "from": "2026-01-01"}]}, "/cover/0/to: is missing"),
        ({"name": "someone"}, "/name: is an unknown field"),
        ({"as_of": "yesterday"}, "/as_of"),
    ],
)
def test_wrong_person_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedDataError, match=message):
        parse_person(case.person().to_record() | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "maybe"}, "/entries/0/state"),
        ({"in_scope_fen": -1}, "/entries/0/in_scope_fen"),
        ({"visit_kind": "x"}, "/entries/0/visit_kind"),
        ({"discharged_on": "soon"}, "/entries/0/discharged_on"),
        ({"paid": 1}, "/entries/0/paid: is an unknown field"),
    ],
)
def test_wrong_history_is_refused(changes: dict[str, Any], message: str) -> None:
    value = {"format": "yichu-history-1", "entries": [case.entry().to_record() | changes]}
    with pytest.raises(MalformedDataError, match=message):
        parse_history(value)
