"""Facts with two times, and the snapshot that is made of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backend.domain.person import parse_person
from backend.domain.record_reader import MalformedDataError
from backend.domain.register import FactKind, RegisterFact, cover_on, known_facts, snapshot_from

NOON = dt.datetime(2026, 11, 20, 4, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DIGEST = "1c1642282d32b8ce5e69b9d11ef854b14c3598efc842bf0ef005d54dff076084"


def fact(identifier: str, kind: FactKind = FactKind.COVER, **changes: Any) -> RegisterFact:
    values: dict[str, Any] = {
        "id": identifier, "person_id": "per_1", "kind": kind, "code": "310", "detail": "1101",
        "valid_from": dt.date(2026, 1, 1), "valid_to": None, "filed_on": None, "supersedes": None,
        "is_withdrawn": False, "source": "simulated", "recorded_by": "x", "reason": "x",
        "recorded_at": NOON, **changes,
    }  # fmt: skip
    return RegisterFact(**values)


def snapshot(facts: list[RegisterFact], service_on: dt.date) -> Any:
    return snapshot_from(
        known_facts(facts),
        person_ref="per_1",
        region="330800",
        as_of=dt.date(2026, 11, 20),
        service_on=service_on,
        source="simulated",
    )


def test_a_correction_stands_from_when_it_was_recorded() -> None:
    first = fact("a")
    second = fact("b", valid_to=dt.date(2026, 6, 30), supersedes="a", recorded_at=NOON + HOUR)
    gone = fact("c", supersedes="b", is_withdrawn=True, recorded_at=NOON + 2 * HOUR)
    facts = [gone, first, second]
    at = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR, None]
    assert [[one.id for one in known_facts(facts, moment)] for moment in at] == [
        [], ["a"], ["b"], [], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (dt.date(2026, 3, 1), "early"),
        (dt.date(2026, 7, 15), "early"),  # in the gap: the one before
        (dt.date(2026, 8, 1), "late"),
        (dt.date(2025, 1, 1), "early"),  # before all: the first
        (dt.date(2030, 1, 1), "late"),
    ],
)
def test_the_cover_of_a_day(day: dt.date, expected: str) -> None:
    early = fact("early", valid_to=dt.date(2026, 6, 30))
    late = fact("late", valid_from=dt.date(2026, 8, 1), valid_to=dt.date(2026, 12, 31))
    found = cover_on([late, early], day)
    assert found is not None and found.id == expected


def test_a_snapshot_holds_every_standing_fact_and_says_that_it_is_simulated() -> None:
    facts = [
        fact("a", valid_to=dt.date(2026, 6, 30)),
        fact("b", code="390", detail="resident", valid_from=dt.date(2026, 7, 1)),
        fact("c", FactKind.HARDSHIP, code="low-income", detail=""),
        fact("d", FactKind.CIVIL_SERVANT, code="county", detail=""),
        fact("e", FactKind.CHRONIC, code="M03900", detail=""),
        fact("f", FactKind.FILING, code="referred-filed", detail="3301",
             filed_on=dt.date(2026, 2, 1)),
    ]  # fmt: skip
    spring = snapshot(facts, dt.date(2026, 3, 1))
    autumn = snapshot(facts, dt.date(2026, 9, 1))
    assert (spring.insurance_type, spring.person_type) == ("310", "1101")
    assert (autumn.insurance_type, autumn.person_type) == ("390", "resident")
    assert spring.is_covered_on(dt.date(2026, 6, 30))
    assert not spring.is_covered_on(dt.date(2026, 7, 1))  # that is the other insurance's day
    day = dt.date(2026, 3, 1)
    assert spring.hardship_on(day) == "low-income"
    assert spring.civil_servant_on(day) == "county"
    assert spring.chronic_on(day) == {"M03900"}
    record = spring.to_record()
    assert record["source"] == "simulated"
    assert parse_person(record) == spring


def test_nobody_known_is_insured_nowhere() -> None:
    empty = snapshot([], dt.date(2026, 3, 1))
    assert (empty.insurance_type, empty.cover) == ("none", ())


def test_a_person_with_cover_alone_writes_nothing_new_and_keeps_the_old_digest() -> None:
    """The digest of this record was computed with sha256sum over its canonical text."""
    person = parse_person(
        {
            "format": "yichu-person-1", "person_ref": "p", "region": "330800",
            "insurance_type": "310", "person_type": "1101", "as_of": "2026-11-20",
            "cover": [{"insurance_type": "310", "from": "2020-01-01", "to": "2099-12-31"}],
        }
    )  # fmt: skip
    assert set(person.to_record()) == {
        "format", "person_ref", "region", "insurance_type", "person_type", "as_of", "cover",
    }  # fmt: skip
    assert person.digest().hex() == DIGEST


def test_of_two_hardship_statuses_the_one_with_more_aid_counts() -> None:
    facts = [
        fact("a", FactKind.HARDSHIP, code="low-income-edge", valid_from=dt.date(2026, 5, 1)),
        fact("b", FactKind.HARDSHIP, code="extreme-poor"),
        fact("c", FactKind.HARDSHIP, code="low-income", valid_to=dt.date(2026, 1, 31)),
    ]
    found = snapshot(facts, dt.date(2026, 6, 1))
    assert found.hardship_on(dt.date(2026, 6, 1)) == "extreme-poor"
    assert found.hardship_on(dt.date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("member", "entry", "message"),
    [
        ("hardship", {"code": "poor", "from": "2026-01-01", "to": "2026-12-31"}, "is not one of"),
        ("hardship", {"code": "low-income", "from": "2026-02-01", "to": "2026-01-01"},
         "before the first day"),
        ("civil_servant", {"code": "", "from": "2026-01-01", "to": "2026-12-31"}, "is not one of"),
        ("chronic", {"code": "", "from": "2026-01-01", "to": "2026-12-31"}, "must not be empty"),
        ("chronic", {"code": "M", "from": "2026-01-01", "to": "2026-12-31", "x": 1},
         "unknown field"),
        ("filings", {"status": "s", "area_prefix": "33x", "from": "2026-01-01",
                     "to": "2026-12-31", "filed_on": "2026-01-01"}, "2, 4 or 6 digits"),
        ("filings", {"status": "s", "area_prefix": "33", "from": "2026-01-01",
                     "to": "2026-12-31"}, "is missing"),
    ],
)  # fmt: skip
def test_a_wrong_person_file_is_refused_naming_the_path(
    member: str, entry: dict[str, Any], message: str
) -> None:
    record = {**snapshot([fact("a")], dt.date(2026, 3, 1)).to_record(), member: [entry]}
    with pytest.raises(MalformedDataError, match=message) as caught:
        parse_person(record)
    assert all(path.startswith(f"/{member}/0") for path, _, _ in caught.value.faults)
