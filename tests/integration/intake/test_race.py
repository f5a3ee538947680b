"""Sixteen threads, one bill, a real database: one resource, and nobody is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.domain.invoice import Invoice
from tests.integration.intake.conftest import SECOND, House, build_house, numbered

THREADS = 16


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def any_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "sqlite":
        yield request.getfixturevalue("house")
        return
    built = build_house(tmp_path, request.getfixturevalue("postgresql_url"))
    yield built
    built.services.engine.dispose()


def at_once(house: House, bills: list[Invoice], path: str = "/v1/invoices") -> list[Any]:
    """Post each bill from a thread of its own, all at the same time."""
    app = house.client.application

    def post(bill: Invoice) -> Any:
        return house.post(bill, path, client=app.test_client())

    with ThreadPoolExecutor(len(bills)) as pool:
        return list(pool.map(post, bills))


def test_the_same_bill_at_once_is_one_resource(any_house: House, sample: Invoice) -> None:
    answers = at_once(any_house, [sample] * THREADS)

    assert sorted(a.status_code for a in answers) == [200] * (THREADS - 1) + [201]
    assert len({a.json["id"] for a in answers}) == 1
    assert len({a.json["fingerprint"] for a in answers}) == 1
    assert any_house.count("invoice") == any_house.count("invoice_version") == 1
    assert any_house.count("expense_line") == 3


def test_different_contents_at_once_leave_one(any_house: House, sample: Invoice) -> None:
    bills = [replace(sample, department=f"科室{n}") for n in range(THREADS)]

    answers = at_once(any_house, bills)

    assert sorted(a.status_code for a in answers) == [201] + [409] * (THREADS - 1)
    assert any_house.count("invoice_version") == 1


def test_two_institutions_at_once_always_dispute(any_house: House, sample: Invoice) -> None:
    bills = []
    for n in range(THREADS // 2):
        mine = numbered(sample, f"{n:010d}")
        bills += [mine, replace(mine, institution_code=SECOND)]

    answers = at_once(any_house, bills)

    assert [a.status_code for a in answers] == [201] * THREADS
    assert any_house.count("dispute") == THREADS // 2


def test_corrections_at_once_are_versions_in_a_row(any_house: House, sample: Invoice) -> None:
    invoice_id = any_house.post(sample).json["id"]
    bills = [replace(sample, department=f"科室{n}") for n in range(THREADS)]

    answers = at_once(any_house, bills, f"/v1/invoices/{invoice_id}/corrections")

    assert [a.status_code for a in answers] == [201] * THREADS
    assert any_house.count("invoice_version") == THREADS + 1
    assert any_house.get(f"/v1/invoices/{invoice_id}").json["version"] == THREADS + 1
