"""Which remote status a bill has, by area, filings and what the pack names."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from backend.adapters.policy_packs import load_packs
from backend.domain.invoice import Invoice
from backend.domain.person import PersonSnapshot, RemoteFiling
from backend.domain.policy import PolicyError, PolicyPack, RemoteModel
from backend.domain.remote_care import derive_remote_status, is_emergency, is_in_area

DAY = dt.date(2026, 3, 1)


@pytest.fixture(scope="module")
def pack() -> PolicyPack:
    return next(one for one in load_packs() if one.region == "330800")


def person(*filings: RemoteFiling) -> PersonSnapshot:
    return PersonSnapshot("p", "330800", "310", "1101", DAY, (), filings=filings)


def filing(status: str, area: str, first: int = 1, last: int = 31) -> RemoteFiling:
    return RemoteFiling(
        status, area, dt.date(2026, 3, first), dt.date(2026, 3, last), dt.date(2026, 11, 1)
    )


@pytest.mark.parametrize(
    ("region", "area", "is_inside"),
    [
        ("330800", "330802", True),
        ("330800", "330106", False),
        ("110000", "110105", True),
        ("110000", "120101", False),
        ("330802", "330802", True),
        ("330802", "330803", False),
        ("330800", "", False),
        ("", "330800", False),
    ],
)
def test_the_insured_area(region: str, area: str, is_inside: bool) -> None:
    assert is_in_area(region, area) is is_inside


@pytest.mark.parametrize(
    ("filings", "area", "emergency", "status"),
    [
        ((), "330881", False, "local"),
        ((), "330881", True, "local"),
        ((), "330106", False, "own-choice"),
        ((), "330106", True, "emergency-not-filed"),
        ((filing("referred-filed", "3301"),), "330106", False, "referred-filed"),
        ((filing("referred-filed", "330106"),), "330105", False, "own-choice"),
        ((filing("referred-filed", "33", 2),), "330106", False, "own-choice"),
        ((filing("referred-filed", "33", 1, 1),), "330106", False, "referred-filed"),
        (
            (filing("referred-filed", "33"), filing("long-term-filed", "3301")),
            "330106", False, "long-term-filed",
        ),
        ((filing("long-term-filed", "33"),), "330881", False, "local"),
    ],
)  # fmt: skip
def test_status(
    pack: PolicyPack,
    filings: tuple[RemoteFiling, ...],
    area: str,
    emergency: bool,
    status: str,
) -> None:
    assert derive_remote_status(pack, person(*filings), area, DAY, emergency) == status


def test_the_better_of_two_is_the_lower_amount_paid_first(pack: PolicyPack) -> None:
    """Under the other model the same figures are shares paid first: 90 % is better than 100 %."""
    other = dataclasses.replace(pack, remote_model=RemoteModel.PAID_FIRST)
    both = person(filing("referred-filed", "33"), filing("long-term-filed", "33"))
    assert derive_remote_status(other, both, "330106", DAY, False) == "referred-filed"


@pytest.mark.parametrize("missing", ["own-choice", "emergency-not-filed", "local"])
def test_a_status_that_the_pack_has_not_is_no_rule(pack: PolicyPack, missing: str) -> None:
    less = dataclasses.replace(
        pack, remote=tuple(rule for rule in pack.remote if rule.status != missing)
    )
    area = "330802" if missing == "local" else "330106"
    with pytest.raises(PolicyError, match=f"no remote status {missing}"):
        derive_remote_status(less, person(), area, DAY, missing.startswith("emergency"))


def test_a_filing_that_the_pack_does_not_know_is_no_rule(pack: PolicyPack) -> None:
    with pytest.raises(PolicyError, match="no remote status dual-residence"):
        derive_remote_status(pack, person(filing("dual-residence", "33")), "330106", DAY, False)


@pytest.mark.parametrize(
    ("medical_type", "department", "expected"),
    [
        ("13", "", True),
        ("24", "外科", True),
        ("11", "外科", False),
        ("21", "", False),
        ("11", "急诊科", True),
    ],
)
def test_emergency_is_read_from_the_medical_type_too(
    medical_type: str, department: str, expected: bool
) -> None:
    invoice = Invoice(
        "H", "医院", "33060126", "0000000001", 100, DAY, "测试", (),
        department=department, medical_type=medical_type,
    )  # fmt: skip
    assert is_emergency(invoice) is expected


@pytest.mark.parametrize(
    ("department", "expected"),
    [("急诊科", True), ("急诊内科", True), ("重症抢救室", True), ("内科", False), ("", False)],
)
def test_emergency_is_read_from_the_department(department: str, expected: bool) -> None:
    invoice = Invoice(
        "H", "医院", "33060126", "0000000001", 100, DAY, "测试", (), department=department
    )
    assert is_emergency(invoice) is expected
