"""A recovery that the ledger knows and a restored database does not (docs/recovery.md)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.journal import AccountKind, LayerAmounts
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent
from backend.domain.recovery import Cause, Debtor, Receipt, State
from backend.service_layer.anchoring.adopt import Line
from backend.service_layer.anchoring.model import LedgerEvent
from backend.service_layer.recovery.adopt import adopt_recovery, retry_recoveries
from backend.service_layer.recovery.opening import Ground, order_recovery
from tests.unit.recovery.debts import NOW, Debts

# printf 'yichu-recovery-1|C1-R1' | openssl dgst -sha256 -hmac k, and the same with -R2 and -R3.
FIRST = bytes.fromhex("284e7797528dfc6cbbd1f9af484b64f60c6c7f3517b54aebe2e9cb8ef15a6efc")
SECOND = bytes.fromhex("35cc6125c4b49669426cb953130686042c335871ec241613e6b99417fc4179ca")
THIRD = bytes.fromhex("3b73f12ca095584b043e12075739f04e2d78c81d3c6d7eed961e4e663644fffb")
LAST = bytes.fromhex("99333fdc5ab58f0843b292d9c81807166e7ca3c362bfd4978c9b1aebafa918ff")  # -R99
KEY = b"\x05" * 32
MINED = dt.datetime(2026, 11, 18, 17, 0, tzinfo=dt.UTC)  # the 19th in China
GROUND = Ground(Cause.FINDING, "lead_1", "稽核认定多付", institution_code="H1")


class Restored(Debts):
    """A restored database in which 60.00 yuan of claim C1 are borne by the funds."""

    def __init__(self) -> None:
        super().__init__()
        self.claims_on = {KEY: ["clm_1"]}
        self.cases: list[Any] = []
        self.resolved: list[tuple[str, ...]] = []
        self.finals: list[tuple[Any, ...]] = []

    def __enter__(self) -> Any:
        work = super().__enter__()
        work.reconciliation = SimpleNamespace(
            live_claims_on_key=lambda key: self.claims_on.get(key, []),
            open_cases=lambda: self.cases,
            resolve_case=lambda *said: self.resolved.append(said) or True,
        )
        work.outbox.find = lambda key: next(one for one in self.sent if one.dedupe_key == key)
        work.outbox.set_state = lambda ids, state, **values: self.finals.append(
            (ids, state, values)
        )
        return work

    def adopt(self, value: int = 6_000, number: bytes = FIRST, **changed: Any) -> Line | None:
        with self as work:
            return adopt_recovery(self.deps, work, event(value, number, **changed), MINED)

    def has(self, layers: LayerAmounts, ground: Ground = GROUND) -> str:
        """An order that is here; returns its name."""
        with self as work:
            return order_recovery(self.deps, work, self.claim, layers, ground).order.id


def event(value: int = 6_000, number: bytes = FIRST, **changed: Any) -> LedgerEvent:
    values = {"payer": 2, "value": value, "recovery_number": number, "counter": 5}
    fields: dict[str, Any] = {
        "call": "recover", "outcome": "done", "item_index": 3, "key": KEY,
        "values": values | changed.pop("values", {}), "tx_hash": b"\x01" * 32,
        "block_number": 70, "block_hash": b"\x02" * 32, "log_index": 4,
    }  # fmt: skip
    return LedgerEvent(**(fields | changed))


# --- made anew ------------------------------------------------------------------------------------


def test_an_order_that_was_lost_is_made_again_for_what_came_back() -> None:
    world = Restored()
    line = world.adopt(1_500)
    assert line == Line("adopted", "recover 0505050505050505/5: done", "C1-R1: 1500 fen came back")
    found = world.orders["C1-R1"]
    order = found.order
    # 15.00 of 40.00 and 20.00, in proportion.
    assert (order.number, order.layers) == (FIRST, LayerAmounts(1_000, 500))
    assert (order.cause, order.source_id, order.reason, order.debtor) == (
        Cause.LEDGER, FIRST.hex(), "按账本恢复 / found on the ledger", Debtor.PERSON,
    )  # fmt: skip
    assert found.receipts == (
        Receipt(
            reference="ledger:C1-R1", order_id="C1-R1", amount_fen=1_500,
            received_on=dt.date(2026, 11, 19), source="ledger", is_simulated=True,
            recorded_by="system:recovery", recorded_at=NOW,
        ),
    )  # fmt: skip
    assert found.state is State.RECOVERED
    assert world.kinds == ["recovery-opened", "recovered"] and world.locked == ["per_1"]
    [booked] = [one for one in world.books.stored.values() if one.kind == "recovered"]
    [transfer] = booked.transfers
    assert transfer.amount_fen == 1_500
    assert transfer.debit.split(":")[0] == AccountKind.BANK
    assert transfer.credit.split(":")[0] == AccountKind.RECEIVABLE
    assert booked.occasion.claim_id == "clm_1" and booked.occasion.booked_at == NOW


def test_its_call_is_kept_as_final_so_that_it_is_not_asked_for_again() -> None:
    world = Restored()
    world.adopt()
    assert world.sent == [
        LedgerIntent(
            id="int_new", kind=IntentKind.RECOVER, account="0xA1", held=True,
            dedupe_key="recover:C1-R1", subject_id="clm_1",
            payload={
                "invoice_key": KEY.hex(), "payer": 2, "amount": 6_000,
                "recovery_number": FIRST.hex(),
            },
        )
    ]  # fmt: skip
    [(ids, state, values)] = world.finals
    assert (ids, state) == (["int_new"], IntentState.FINAL)
    assert (values["outcome"], values["block_number"], values["block_at"]) == ("done", 70, MINED)


@pytest.mark.parametrize(
    ("value", "layers"),
    [(6_000, LayerAmounts(4_000, 2_000)), (1, LayerAmounts(1)), (6_001, None), (10**9, None)],
)
def test_never_more_than_the_funds_bear_is_made_again(
    value: int, layers: LayerAmounts | None
) -> None:
    world = Restored()
    line = world.adopt(value)
    if layers is None:
        assert line is None and world.orders == {} and world.sent == [] and world.kinds == []
    else:
        assert line is not None and world.orders["C1-R1"].order.layers == layers


@pytest.mark.parametrize(("number", "name"), [(SECOND, "C1-R2"), (THIRD, None), (FIRST, "C1-R1")])
def test_a_lost_order_takes_its_own_place_and_leaves_no_gap(
    number: bytes, name: str | None
) -> None:
    world = Restored()
    world.has(LayerAmounts(1_000))
    line = world.adopt(500, number)
    if name is None:
        assert line is None and list(world.orders) == ["C1-R1"]
    else:
        assert line is not None and line.detail == f"{name}: 500 fen came back"
        assert world.orders[name].received_fen == 500


# --- filled ---------------------------------------------------------------------------------------


def test_the_order_that_is_here_is_filled_up_to_what_the_ledger_says() -> None:
    world = Restored()
    name = world.has(LayerAmounts(1_000, 500))
    with world as work:
        work.recoveries.add_receipt(
            Receipt("B-1", name, 400, dt.date(2026, 11, 1), "file", False, "clerk", NOW)
        )
    assert world.adopt(1_500) is not None
    found = world.orders[name]
    assert [one.amount_fen for one in found.receipts] == [400, 1_100]
    assert found.state is State.RECOVERED and found.order.cause is Cause.FINDING
    assert len(world.orders) == 1
    assert world.sent[0].payload["amount"] == 1_500, "what came back in all"


@pytest.mark.parametrize(
    ("value", "received"), [(399, None), (400, 400), (1_500, 1_500), (1_501, None)]
)
def test_less_than_is_known_or_more_than_is_left_is_for_a_person(
    value: int, received: int | None
) -> None:
    world = Restored()
    name = world.has(LayerAmounts(1_000, 500))
    with world as work:
        work.recoveries.add_receipt(
            Receipt("B-1", name, 400, dt.date(2026, 11, 1), "file", False, "clerk", NOW)
        )
    before = list(world.kinds)
    line = world.adopt(value)
    if received is None:
        assert line is None and world.sent == []
        assert world.orders[name].received_fen == 400
    else:
        assert line is not None and line.detail == f"C1-R1: {value} fen came back"
        assert world.orders[name].received_fen == received
        assert len(world.finals) == 1
    if value <= 400:
        assert world.kinds == before, "nothing beyond what is known is booked"


# --- not ours, or not to be shown -----------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"key": b"\x06" * 32},
        {"values": {"payer": 3}},
        {"values": {"recovery_number": b"\x00" * 32}},
    ],
)
def test_what_cannot_be_shown_to_be_ours_is_not_adopted(said: dict[str, Any]) -> None:
    world = Restored()
    assert world.adopt(**said) is None
    assert world.orders == {} and world.sent == [] and world.kinds == []


def test_names_are_tried_up_to_the_last_place_of_a_claim() -> None:
    """The 99th is known to be ours, yet no order of this claim is the 98th."""
    world = Restored()
    assert world.adopt(500, LAST) is None
    template = world.has(LayerAmounts(1_000))
    found = world.orders.pop(template)
    for place in range(1, 99):
        name = f"C1-R{place}"
        world.orders[name] = replace(
            found, order=replace(found.order, id=name, ordinal=place, source_id=name)
        )
    line = world.adopt(500, LAST)
    assert line is not None and line.detail == "C1-R99: 500 fen came back"


@pytest.mark.parametrize(
    ("state", "adopted"),
    [
        (ClaimState.SETTLING, True), (ClaimState.SETTLED, True), (ClaimState.PAYING, True),
        (ClaimState.PAID, True), (ClaimState.SUPPLEMENTING, True), (ClaimState.LODGED, False),
        (ClaimState.WITHDRAWN, False), (ClaimState.REVERSED, False),
    ],
)  # fmt: skip
def test_only_of_a_claim_with_a_decision_in_effect(state: ClaimState, adopted: bool) -> None:
    world = Restored()
    world.claim = replace(world.claim, state=state)
    assert (world.adopt(500) is not None) is adopted


# --- tried again ----------------------------------------------------------------------------------


def case(name: str, said: LedgerEvent) -> Any:
    """The case as it is stored: a record of the event, bytes as hex."""
    values = dict(said.values) | {"recovery_number": said.values["recovery_number"].hex()}
    detail = {
        "call": said.call, "outcome": said.outcome, "item_index": said.item_index,
        "key": said.key.hex(), "values": values, "tx_hash": said.tx_hash.hex(),
        "block_number": said.block_number, "block_hash": said.block_hash.hex(),
        "log_index": said.log_index, "at": MINED.isoformat(),
    }  # fmt: skip
    return SimpleNamespace(id=name, detail=detail)


def test_a_case_is_closed_when_its_claim_is_paid_here_by_now() -> None:
    world = Restored()
    world.cases = [
        case("recover:unknown", event(500, THIRD)),
        case("recover:ours", event(1_500)),
        case("money:R1:x", event(500, SECOND)),
    ]
    world.alarms = {("reconcile-case", "recover:ours"): "", ("reconcile-case", "recover:x"): ""}
    assert retry_recoveries(world.deps) == [
        Line("adopted", "recover 0505050505050505/5: done", "C1-R1: 1500 fen came back")
    ]
    assert world.resolved == [("recover:ours", "reconcile", "adopted")]
    assert list(world.alarms) == [("reconcile-case", "recover:x")] and world.commits == 1
    [(_, _, values)] = world.finals
    assert values == {
        "outcome": "done",
        "outcome_detail": {
            "payer": 2, "value": 1_500, "recovery_number": FIRST.hex(), "counter": 5,
        },
        "tx_hash": b"\x01" * 32, "block_number": 70, "block_hash": b"\x02" * 32, "log_index": 4,
        "block_at": MINED,
    }  # fmt: skip
    assert world.orders["C1-R1"].receipts[0].received_on == dt.date(2026, 11, 19)


def test_without_cases_nothing_is_written() -> None:
    world = Restored()
    assert retry_recoveries(world.deps) == [] and world.commits == 0
