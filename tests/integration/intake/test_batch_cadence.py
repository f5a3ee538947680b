"""When a batch is formed: on the cadence, at once when it is full, and in bounded passes."""

from __future__ import annotations

import pytest

from backend.domain.invoice import Invoice
from backend.service_layer.intake import form_batches as forming
from backend.service_layer.intake.form_batches import form_batches
from tests.integration.intake.conftest import House
from tests.integration.intake.test_changes import custodial

CADENCE = 60.0


def send(house: House, sample: Invoice, *numbers: int) -> None:
    for number in numbers:
        assert house.post(custodial(sample, f"{number:010d}")).status_code == 201


def sizes(house: House) -> list[int]:
    with house.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT size FROM batch ORDER BY sequence")
        return [size for (size,) in rows]


def test_a_few_bills_wait_for_the_cadence(house: House, sample: Invoice) -> None:
    send(house, sample, 1)
    assert form_batches(house.services, CADENCE) == 1  # nothing was formed before: at once
    send(house, sample, 2)
    house.clock.advance(CADENCE / 2 - 1)
    assert form_batches(house.services, CADENCE) == 0
    send(house, sample, 3)
    house.clock.advance(1)
    assert form_batches(house.services, CADENCE) == 1
    assert sizes(house) == [1, 2]


def test_a_full_batch_does_not_wait(
    house: House, sample: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forming, "MAX_BATCH", 3)
    send(house, sample, 1)
    form_batches(house.services, CADENCE)
    send(house, sample, 2, 3, 4, 5, 6)
    assert form_batches(house.services, CADENCE) == 1
    assert form_batches(house.services, CADENCE) == 0
    assert sizes(house) == [1, 3]


def test_a_clock_that_was_set_back_does_not_stop_batches(house: House, sample: Invoice) -> None:
    send(house, sample, 1)
    form_batches(house.services, CADENCE)
    house.clock.advance(-3_600)
    send(house, sample, 2)
    assert form_batches(house.services, CADENCE) == 1


def test_a_pass_is_bounded_and_the_longest_waiting_institution_comes_first(
    house: House, sample: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forming, "BATCHES_A_PASS", 1)
    send(house, sample, 1)  # of the institution whose code sorts last
    house.post(sample)
    assert form_batches(house.services) == 1
    assert len(sizes(house)) == 1
    with house.services.work(write=False) as work:
        assert work.institutions.with_unbatched() == [sample.institution_code]
    assert form_batches(house.services) == 1
    assert form_batches(house.services) == 0
