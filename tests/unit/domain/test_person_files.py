"""Person and history files: what is written is read back, what is wrong is named with its place."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.invoice import VisitKind
from backend.domain.person import (
    CoverPeriod,
    DatedStatus,
    History,
    HistoryEntry,
    PersonSnapshot,
    RemoteFiling,
    parse_history,
    parse_person,
    status_on,
)
from tests.unit.domain.changed_file import (
    FEN_MAX,
    MISSING,
    NO_DAY,
    NO_OBJECT,
    UNKNOWN,
    changed,
    faults_of,
    no_list,
    no_text,
    no_whole,
    none_of,
)

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
DAYS = {"from": "2026-01-01", "to": "2026-12-31"}

PERSON: dict[str, Any] = {
    "format": "yichu-person-1",
    "person_ref": "P-1",
    "region": "330800",
    "insurance_type": "390",
    "person_type": "resident",
    "as_of": "2026-05-13",
    "cover": [{"insurance_type": "390", **DAYS}, {"insurance_type": "310", **DAYS}],
    "hardship": [{"code": "low-income", **DAYS}],
    "civil_servant": [{"code": "county", **DAYS}],
    "chronic": [{"code": "M01", **DAYS}, {"code": "M02", **DAYS}],
    "filings": [
        {"status": "long-term-filed", "area_prefix": "31", "filed_on": "2026-02-03", **DAYS}
    ],
    "source": "simulated",
}

SNAPSHOT = PersonSnapshot(
    person_ref="P-1",
    region="330800",
    insurance_type="390",
    person_type="resident",
    as_of=dt.date(2026, 5, 13),
    cover=(CoverPeriod("390", FIRST, LAST), CoverPeriod("310", FIRST, LAST)),
    hardship=(DatedStatus("low-income", FIRST, LAST),),
    civil_servant=(DatedStatus("county", FIRST, LAST),),
    chronic=(DatedStatus("M01", FIRST, LAST), DatedStatus("M02", FIRST, LAST)),
    filings=(RemoteFiling("long-term-filed", "31", FIRST, LAST, dt.date(2026, 2, 3)),),
    source="simulated",
)

ENTRY: dict[str, Any] = {
    "claim_number": "C-1",
    "service_on": "2026-04-01",
    "visit_kind": "inpatient",
    "hospital_code": "H1",
    "insurance_type": "310",
    "in_scope_fen": 5,
    "deductible_fen": 2,
    "pool_paid_fen": 3,
    "layer2_base_fen": 4,
    "layer2_paid_fen": 5,
    "state": "reserved",
    "admitted_on": "2026-03-20",
    "discharged_on": "2026-04-01",
    "stay_number": "ZY1",
    "deductible_base_fen": 6,
    "layer3_paid_fen": 7,
    "supplement_paid_fen": 8,
    "waiver_id": "w",
}
SHORT: dict[str, Any] = {
    "claim_number": "C-2",
    "service_on": "2026-05-01",
    "visit_kind": "outpatient",
    "hospital_code": "H2",
    "insurance_type": "390",
    "in_scope_fen": 10,
    "deductible_fen": 0,
    "pool_paid_fen": 0,
}
HISTORY: dict[str, Any] = {"format": "yichu-history-1", "entries": [ENTRY, SHORT]}

ENTRIES = (
    HistoryEntry(
        claim_number="C-1",
        service_on=dt.date(2026, 4, 1),
        visit_kind=VisitKind.INPATIENT,
        hospital_code="H1",
        insurance_type="310",
        in_scope_fen=5,
        deductible_fen=2,
        pool_paid_fen=3,
        layer2_base_fen=4,
        layer2_paid_fen=5,
        state="reserved",
        admitted_on=dt.date(2026, 3, 20),
        discharged_on=dt.date(2026, 4, 1),
        stay_number="ZY1",
        deductible_base_fen=6,
        layer3_paid_fen=7,
        supplement_paid_fen=8,
        waiver_id="w",
    ),
    HistoryEntry("C-2", dt.date(2026, 5, 1), VisitKind.OUTPATIENT, "H2", "390", 10, 0, 0),
)


def test_a_person_is_read_and_written_as_it_was() -> None:
    assert parse_person(PERSON) == SNAPSHOT
    assert SNAPSHOT.to_record() == PERSON


def test_what_a_person_has_none_of_is_not_written() -> None:
    optional = ("hardship", "civil_servant", "chronic", "filings", "source")
    plain = {name: value for name, value in PERSON.items() if name not in optional}
    read = parse_person(plain)
    assert read == replace(
        SNAPSHOT, hardship=(), civil_servant=(), chronic=(), filings=(), source=""
    )
    assert read.to_record() == plain


def test_a_history_is_read_and_written_as_it_was() -> None:
    assert parse_history(HISTORY) == History(ENTRIES)
    later = {"layer2_base_fen": 0, "layer2_paid_fen": 0, "state": "settled"}
    assert History(ENTRIES).to_record() == {**HISTORY, "entries": [ENTRY, SHORT | later]}
    assert parse_history({"format": "yichu-history-1", "entries": []}) == History()


@pytest.mark.parametrize(
    "name",
    [
        "admitted_on", "discharged_on", "stay_number", "deductible_base_fen", "layer3_paid_fen",
        "supplement_paid_fen", "waiver_id",
    ],
)  # fmt: skip
def test_what_an_entry_has_none_of_is_not_written(name: str) -> None:
    left = {key: value for key, value in ENTRY.items() if key != name}
    (read,) = parse_history({"format": "yichu-history-1", "entries": [left]}).entries
    assert read.to_record() == left
    assert not getattr(read, name)


def test_an_in_scope_cost_of_nothing_counted_anew_is_written() -> None:
    none = replace(ENTRIES[0], deductible_base_fen=0)
    assert none.to_record()["deductible_base_fen"] == 0
    assert (none.counted_fen, ENTRIES[0].counted_fen, ENTRIES[1].counted_fen) == (0, 6, 10)


@pytest.mark.parametrize(("value", "made"), [(PERSON, SNAPSHOT), (HISTORY, None)])
def test_the_digest_is_sha256_of_the_sorted_compact_json(value: Any, made: Any) -> None:
    made = made or parse_history({**HISTORY, "entries": [ENTRY]})
    value = value if value is PERSON else {**HISTORY, "entries": [ENTRY]}
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert made.digest() == hashlib.sha256(text.encode()).digest()


def test_entries_of_a_year_and_insurance() -> None:
    history = History(ENTRIES)
    assert history.of_year(2026, "310") == ENTRIES[:1]
    assert history.of_year(2026, "390") == ENTRIES[1:]
    assert history.of_year(2025, "310") == ()
    assert history.with_entries([ENTRIES[0]]).entries == (*ENTRIES, ENTRIES[0])


HARDSHIP = ("extreme-poor", "low-income", "low-income-edge", "poverty-risk")
RANKS = ("above", "county", "section")
BEFORE = ("早于起始日期", "is before the first day")
EMPTY = ("不能为空", "must not be empty")
NO_AREA = ("应为 2、4 或 6 位数字", "is not 2, 4 or 6 digits")

BAD_PERSON: list[tuple[str, Any, tuple[str, str]]] = [
    ("/format", "yichu-person-2", none_of("yichu-person-1")),
    ("/person_ref", "x" * 65, no_text(64)),
    ("/region", "3308000", no_text(6)),
    ("/insurance_type", "3900000", no_text(6)),
    ("/person_type", "x" * 17, no_text(16)),
    ("/as_of", "2026-02-30", NO_DAY),
    ("/as_of", "20260513", NO_DAY),
    ("/cover", {}, no_list(200)),
    ("/cover", [PERSON["cover"][0]] * 201, no_list(200)),
    ("/cover/0/from", "2026-1-1", NO_DAY),
    ("/cover/1/to", "2025-12-31", BEFORE),
    ("/cover/1/insurance_type", 310, no_text(500)),
    ("/hardship", [PERSON["hardship"][0]] * 201, no_list(200)),
    ("/hardship/0/code", "poor", none_of(*HARDSHIP)),
    ("/hardship/0/to", "2025-12-31", BEFORE),
    ("/civil_servant", 1, no_list(200)),
    ("/civil_servant/0/code", "national", none_of(*RANKS)),
    ("/chronic", [PERSON["chronic"][0]] * 201, no_list(200)),
    ("/chronic/1/code", "x" * 41, no_text(40)),
    ("/chronic/1/from", None, no_text(500)),
    ("/filings", [PERSON["filings"][0]] * 201, no_list(200)),
    ("/filings/0/status", "x" * 41, no_text(40)),
    ("/filings/0/area_prefix", "3", NO_AREA),
    ("/filings/0/area_prefix", "331", NO_AREA),
    ("/filings/0/area_prefix", "3A", NO_AREA),
    ("/filings/0/to", "2025-12-31", BEFORE),
    ("/filings/0/filed_on", "soon", NO_DAY),
    ("/source", "x" * 41, no_text(40)),
]


@pytest.mark.parametrize(("path", "value", "words"), BAD_PERSON)
def test_a_fault_of_a_person_is_named(path: str, value: Any, words: tuple[str, str]) -> None:
    assert (path, *words) in faults_of(parse_person, changed(PERSON, path, value), "PERSON")


BAD_HISTORY: list[tuple[str, Any, tuple[str, str]]] = [
    ("/format", "yichu-history-2", none_of("yichu-history-1")),
    ("/entries", "none", no_list(5_000)),
    ("/entries", [ENTRY] * 5_001, no_list(5_000)),
    ("/entries/0/claim_number", "x" * 65, no_text(64)),
    ("/entries/0/service_on", "2026-13-01", NO_DAY),
    (
        "/entries/0/visit_kind",
        "remote",
        none_of("outpatient", "outpatient-chronic", "inpatient"),
    ),
    ("/entries/0/hospital_code", "x" * 21, no_text(20)),
    ("/entries/0/insurance_type", "x" * 7, no_text(6)),
    *(
        (f"/entries/0/{name}", value, no_whole(0))
        for name in ENTRY
        if name.endswith("_fen")
        for value in (-1, FEN_MAX + 1, "1", True)
    ),
    ("/entries/0/state", "open", none_of("settled", "reserved")),
    ("/entries/0/admitted_on", "x", NO_DAY),
    ("/entries/0/discharged_on", "x", NO_DAY),
    ("/entries/0/stay_number", "x" * 501, no_text(500)),
    ("/entries/0/waiver_id", "x" * 65, no_text(64)),
]


@pytest.mark.parametrize(("path", "value", "words"), BAD_HISTORY)
def test_a_fault_of_a_history_is_named(path: str, value: Any, words: tuple[str, str]) -> None:
    found = faults_of(parse_history, changed(HISTORY, path, value), "HISTORY")
    assert found == [(path, *words)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/person_ref", "x" * 64),
        ("/region", "330802"),
        ("/insurance_type", "x" * 6),
        ("/source", "x" * 40),
        ("/cover/0/to", "2026-01-01"),
        ("/cover", [PERSON["cover"][0]] * 200),
        ("/hardship", [PERSON["hardship"][0]] * 200),
        ("/chronic/0/code", "x" * 40),
        ("/filings", [PERSON["filings"][0]] * 200),
        ("/filings/0/status", "x" * 40),
        ("/filings/0/area_prefix", "3101"),
        ("/filings/0/area_prefix", "310101"),
    ],
)
def test_the_longest_and_shortest_of_a_person_are_read(path: str, value: Any) -> None:
    file = changed(PERSON, path, value)
    assert parse_person(file).to_record() == file


@pytest.mark.parametrize(
    ("insurance", "person_type"),
    [
        ("310", "1101"), ("310", "1102"), ("390", "resident"), ("none", "none"),
        ("340", "x" * 16),
    ],
)  # fmt: skip
def test_a_person_type_of_its_insurance_is_read(insurance: str, person_type: str) -> None:
    file = PERSON | {"insurance_type": insurance, "person_type": person_type}
    assert parse_person(file).to_record() == file


@pytest.mark.parametrize(
    ("insurance", "person_type"),
    [("310", "1103"), ("310", "resident"), ("390", "1101"), ("390", "none"), ("310", "9999")],
)
def test_a_person_type_of_another_insurance_is_refused(insurance: str, person_type: str) -> None:
    """A rule that names no person types would pay for it as for anybody."""
    file = PERSON | {"insurance_type": insurance, "person_type": person_type}
    found = faults_of(parse_person, file, "PERSON")
    assert found == [("/person_type", "不是这个险种的人员类别", "is no type of this insurance")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/entries/0/claim_number", "x" * 64),
        ("/entries/0/hospital_code", "x" * 20),
        ("/entries/0/insurance_type", "x" * 6),
        ("/entries/0/stay_number", "x" * 500),
        ("/entries/0/waiver_id", "x" * 64),
        ("/entries/0/visit_kind", "outpatient-chronic"),
        ("/entries/0/state", "settled"),
        *(
            (f"/entries/0/{name}", FEN_MAX)
            for name in ENTRY
            if name.endswith("_fen") and name not in ("deductible_fen", "pool_paid_fen")
        ),
    ],
)
def test_the_longest_and_largest_of_a_history_are_read(path: str, value: Any) -> None:
    file = changed({**HISTORY, "entries": [ENTRY]}, path, value)
    assert parse_history(file).to_record() == file


def test_five_thousand_entries_are_read() -> None:
    many = [SHORT | {"claim_number": f"C-{number}"} for number in range(5_000)]
    assert len(parse_history({**HISTORY, "entries": many}).entries) == 5_000


@pytest.mark.parametrize(("deductible", "pool"), [(0, 0), (2, 3), (5, 0), (0, 5)])
def test_an_entry_that_takes_no_more_than_its_cost_is_read(deductible: int, pool: int) -> None:
    entry = ENTRY | {"deductible_fen": deductible, "pool_paid_fen": pool}
    assert parse_history({**HISTORY, "entries": [entry]}).entries[0].to_record() == entry


def test_what_no_earlier_decision_can_have_done_is_refused_with_every_fault() -> None:
    entries = [
        ENTRY,
        ENTRY | {"deductible_fen": 6, "pool_paid_fen": 0},
        SHORT | {"deductible_fen": 4, "pool_paid_fen": 7},
        SHORT,
    ]
    assert faults_of(parse_history, {**HISTORY, "entries": entries}, "HISTORY") == [
        ("/entries/1/claim_number", "重复", "is used twice"),
        ("/entries/1/deductible_fen", "大于政策范围内费用", "is more than the in-scope cost"),
        (
            "/entries/2/pool_paid_fen", "与起付线合计大于政策范围内费用",
            "and the deductible are more than the in-scope cost",
        ),
        ("/entries/3/claim_number", "重复", "is used twice"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/format", "/person_ref", "/region", "/insurance_type", "/person_type", "/as_of", "/cover",
        "/cover/0/insurance_type", "/cover/0/from", "/cover/0/to", "/hardship/0/code",
        "/chronic/0/from", "/filings/0/status", "/filings/0/area_prefix", "/filings/0/filed_on",
    ],
)  # fmt: skip
def test_a_person_leaves_nothing_out(path: str) -> None:
    found = faults_of(parse_person, changed(PERSON, path, ...), "PERSON")
    assert (path, *MISSING) in found
    assert all(at == path or words == BEFORE for at, *rest in found for words in [tuple(rest)])


@pytest.mark.parametrize("name", SHORT)
def test_an_entry_leaves_nothing_out(name: str) -> None:
    path = f"/entries/1/{name}"
    found = faults_of(parse_history, changed(HISTORY, path, ...), "HISTORY")
    assert found == [(path, *MISSING)]


@pytest.mark.parametrize(
    "path", ["/name", "/cover/0/note", "/hardship/0/note", "/chronic/1/note", "/filings/0/note"]
)
def test_a_member_that_a_person_does_not_have_is_refused(path: str) -> None:
    assert faults_of(parse_person, changed(PERSON, path, "x"), "PERSON") == [(path, *UNKNOWN)]


@pytest.mark.parametrize("path", ["/name", "/entries/1/note"])
def test_a_member_that_a_history_does_not_have_is_refused(path: str) -> None:
    assert faults_of(parse_history, changed(HISTORY, path, "x"), "HISTORY") == [(path, *UNKNOWN)]


def test_a_code_that_is_too_long_is_not_said_to_be_empty() -> None:
    found = faults_of(parse_person, changed(PERSON, "/chronic/0/code", "x" * 41), "PERSON")
    assert found == [("/chronic/0/code", *no_text(40))]


def test_an_empty_code_of_a_disease_is_refused() -> None:
    found = faults_of(parse_person, changed(PERSON, "/chronic/0/code", ""), "PERSON")
    assert found == [("/chronic/0/code", *EMPTY)]


@pytest.mark.parametrize("value", [None, [], "person"])
def test_what_is_no_object_is_refused(value: object) -> None:
    assert faults_of(parse_person, value, "PERSON")[0] == ("", *NO_OBJECT)
    assert faults_of(parse_history, value, "HISTORY")[0] == ("", *NO_OBJECT)
    assert ("/entries/0", *NO_OBJECT) in faults_of(
        parse_history, changed(HISTORY, "/entries/0", value), "HISTORY"
    )


def test_every_fault_is_listed_at_once() -> None:
    file = changed(changed(PERSON, "/region", 1), "/cover/0/to", "2025-01-01")
    assert [path for path, *_ in faults_of(parse_person, file, "PERSON")] == [
        "/cover/0/to",
        "/region",
    ]


@pytest.mark.parametrize(
    ("on", "holds"),
    [
        (FIRST, True),
        (LAST, True),
        (FIRST - dt.timedelta(1), False),
        (LAST + dt.timedelta(1), False),
    ],
)
def test_both_days_belong_to_a_status_a_cover_and_a_filing(on: dt.date, holds: bool) -> None:
    assert DatedStatus("x", FIRST, LAST).holds_on(on) is holds
    assert SNAPSHOT.is_covered_on(on) is holds
    assert SNAPSHOT.filings[0].holds_for("310101", on) is holds
    assert SNAPSHOT.hardship_on(on) == ("low-income" if holds else None)
    assert SNAPSHOT.civil_servant_on(on) == ("county" if holds else None)
    assert SNAPSHOT.chronic_on(on) == (frozenset(("M01", "M02")) if holds else frozenset())


def test_cover_and_filing_are_of_their_insurance_and_area() -> None:
    other = replace(SNAPSHOT, cover=(CoverPeriod("310", FIRST, LAST),))
    assert not other.is_covered_on(FIRST)
    assert not SNAPSHOT.filings[0].holds_for("330131", FIRST)
    assert not replace(SNAPSHOT, cover=()).is_covered_on(FIRST)


def test_of_several_statuses_the_first_of_the_order_counts_then_the_latest_then_the_code() -> None:
    later = dt.date(2026, 3, 1)
    held = [
        DatedStatus("low-income-edge", later, LAST),
        DatedStatus("low-income", FIRST, LAST),
        DatedStatus("extreme-poor", FIRST, dt.date(2026, 2, 1)),
    ]
    assert status_on(held, later, HARDSHIP) == "low-income"
    assert status_on(held, FIRST, HARDSHIP) == "extreme-poor"
    assert status_on(held, later) == "low-income-edge"
    assert status_on(held, later, ("unknown",)) == "low-income-edge"
    assert status_on([DatedStatus("b", FIRST, LAST), DatedStatus("a", FIRST, LAST)], later) == "a"
    assert status_on([DatedStatus("x", FIRST, LAST), held[1]], later, HARDSHIP) == "low-income"
    assert status_on([], later, HARDSHIP) is None
