"""A deposit is of a region that is kept here, and is booked once for each layer of a movement."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from backend.domain.errors import DomainError, NotFoundError
from backend.domain.journal import EventKind, Fund, JournalConflictError, JournalError, Layer
from backend.domain.payout import FundAccount, PayoutRules
from backend.service_layer.journal.adjustments import Wanted, confirm, propose
from backend.service_layer.journal.deposits import deposit
from tests.integration.journal.month_world import CITY, close_month, noon, services_on

SIGNED = {"by": "会计甲", "reason": "结账"}
ELSEWHERE = Fund("999999", "310", "999999", "外地")


@pytest.fixture
def services(sqlite: sa.Engine) -> Any:
    made = services_on(sqlite, noon(11, 20))
    rules = PayoutRules(region="330800", accounts=(("331000", FundAccount("台州", "T1")),))
    made.settings = SimpleNamespace(payer_number=1, region="330800", payout=rules)
    return made


def pays_in(
    services: Any, fen: int, layer: Layer = Layer.POOL, *, fund: Fund = CITY, reference: str = "D1"
) -> bool:
    return deposit(services, fund, layer, fen, reference=reference, by="会计甲", reason="拨款")


def balance(services: Any, account: str, kind: str = "310") -> int:
    with services.work(write=False) as work:
        return int(work.journal.balance(account, insurance_type=kind))


def test_a_region_that_is_not_kept_here_takes_no_deposit_and_no_close(services: Any) -> None:
    with pytest.raises(JournalError, match="region 999999 has no debit account and no books"):
        pays_in(services, 100, fund=ELSEWHERE)
    with pytest.raises(JournalError, match="region 888888 has no debit account and no books"):
        close_month(services, "888888", "2026-10", carry_forward=False, **SIGNED)
    with services.work(write=False) as work:
        assert (work.journal.regions(), work.journal.closes()) == ([], [])
    assert pays_in(services, 100, fund=Fund("331000", "310", "331000", "台州")), "it has an account"
    assert pays_in(services, 200), "this installation's own"


def test_a_deposit_that_is_known_otherwise_says_how_it_is_put_right(services: Any) -> None:
    assert pays_in(services, 100)
    with pytest.raises(JournalConflictError, match="adjust propose --kind deposit-reversed") as it:
        pays_in(services, 101)
    assert "先用 yichu journal adjust propose --kind deposit-reversed 冲销" in it.value.zh
    assert balance(services, "bank:330800") == 100


def test_one_movement_may_be_deposits_of_several_layers_and_funds(services: Any) -> None:
    residents = Fund("330800", "390", "330800", "市中心测试")
    parts = [(100, Layer.POOL, CITY), (40, Layer.MEDICAL_AID, CITY), (7, Layer.POOL, residents)]
    for fen, layer, fund in parts:
        assert pays_in(services, fen, layer, fund=fund)
    for fen, layer, fund in parts:
        assert not pays_in(services, fen, layer, fund=fund), "known already"
        with pytest.raises(JournalConflictError, match="booked already, with another content"):
            pays_in(services, fen + 1, layer, fund=fund)
    assert (balance(services, "bank:330800"), balance(services, "bank:330800", "390")) == (140, 7)
    assert balance(services, "fund:330800:medical-aid") == 40
    with services.work(write=False) as work:
        moved = work.bank_statements.movements("330800")
        assert [(one.key, one.side, one.amount_fen) for one in moved] == [
            ("D1", "credit", 100), ("D1", "credit", 40), ("D1", "credit", 7),
        ]  # fmt: skip


def test_of_several_deposits_under_a_reference_the_named_one_is_reversed(services: Any) -> None:
    pays_in(services, 100)
    pays_in(services, 40, Layer.MEDICAL_AID)
    wanted = Wanted(EventKind.DEPOSIT_REVERSED, "330800", "310", 40, "D1")
    refused: list[tuple[Layer | None, type[DomainError], str]] = [
        (None, JournalError, "name the layer"),
        (Layer.CIVIL_SERVANT, NotFoundError, "no deposit of this layer stands"),
        (Layer.POOL, JournalError, r"which is 1\.00 yuan"),
    ]
    for layer, error, words in refused:
        with pytest.raises(error, match=words):
            propose(services, dataclasses.replace(wanted, layer=layer), **SIGNED)
    right = dataclasses.replace(wanted, layer=Layer.MEDICAL_AID)
    confirm(services, propose(services, right, **SIGNED).number, by="会计乙", reason="核对")
    assert balance(services, "fund:330800:medical-aid") == 0
    assert pays_in(services, 41, Layer.MEDICAL_AID), "the right one, under the same reference"
    assert balance(services, "bank:330800") == 141
