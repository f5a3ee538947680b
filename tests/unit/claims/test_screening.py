"""Screening as a pure function: every way in which stored bill and ledger can disagree."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from backend.domain.claim import StageOutcome
from backend.domain.ledger import SlotState
from backend.service_layer.claims.records import StoredBill, StoredLeaf
from backend.service_layer.claims.screening import (
    LedgerReading,
    OwnLock,
    commitment_faults,
    data_flow,
    screening,
    slot_reason,
)
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head

KEY, FINGERPRINT = b"\x01" * 32, b"\x02" * 32
LEAF = BatchLeaf("H1", RecordKind.CLAIMABLE, 1, KEY, bytes(32), FINGERPRINT, 40_000, 0)
OTHER = dataclasses.replace(LEAF, invoice_key=b"\x03" * 32)
LEAVES = (LEAF.encode(), OTHER.encode())
ROOT = merkle.root_hash([merkle.leaf_hash(leaf) for leaf in LEAVES])
HEAD = batch_head(7, 1, bytes(32), ROOT, 2)
STORED = StoredLeaf(7, 1, bytes(32), 2, 0, LEAVES)
REFERENCE = 7 << 32 | 1 << 10
EMPTY = SlotState.decode(0)
BILL = StoredBill(
    invoice_id="inv_1", version_id="ver_1", version=1, institution_code="H1",
    institution_name="示例医院", hospital_level=2, invoice_code="33060126",
    invoice_number="0000000001", invoice_key=KEY, second_key=bytes(32), key_version=1, kind=1,
    state="active", is_current=True, is_disputed=False, public_token="t", header="{}",
    line_count=1, total_fen=40_000, borne_fen=0, service_on=dt.date(2026, 11, 3),
    fingerprint=FINGERPRINT, wrapped_secret=b"x",
    uploaded_at=dt.datetime(2026, 11, 3, tzinfo=dt.UTC),
)  # fmt: skip


def test_a_bill_that_holds_has_no_fault() -> None:
    assert commitment_faults(BILL, LEAF.encode(), STORED, HEAD) == []


def test_a_red_bill_that_holds_has_no_fault() -> None:
    """Its leaf says 0 yuan while the stored bill has the signed total."""
    bill = dataclasses.replace(BILL, kind=3, state="active", total_fen=-40_000)
    leaf = dataclasses.replace(LEAF, kind=RecordKind.RED, total_fen=0)
    leaves = (leaf.encode(), OTHER.encode())
    root = merkle.root_hash([merkle.leaf_hash(encoded) for encoded in leaves])
    stored = dataclasses.replace(STORED, leaves=leaves)

    assert (
        commitment_faults(bill, leaf.encode(), stored, batch_head(7, 1, bytes(32), root, 2)) == []
    )


@pytest.mark.parametrize(
    ("bill", "leaf", "stored", "head", "fault"),
    [
        (dataclasses.replace(BILL, fingerprint=b"\x09" * 32), LEAF, STORED, HEAD, "fingerprint"),
        (dataclasses.replace(BILL, total_fen=1), LEAF, STORED, HEAD, "amount"),
        (dataclasses.replace(BILL, borne_fen=1), LEAF, STORED, HEAD, "amount"),
        (dataclasses.replace(BILL, invoice_key=b"\x09" * 32), LEAF, STORED, HEAD, "invoice-key"),
        (BILL, dataclasses.replace(LEAF, total_fen=50_000), STORED, HEAD, "leaf"),
        (BILL, LEAF, dataclasses.replace(STORED, leaf_index=1), HEAD, "leaf"),
        (BILL, LEAF, dataclasses.replace(STORED, leaves=LEAVES[:1]), HEAD, "leaf"),
        (BILL, LEAF, dataclasses.replace(STORED, size=3), HEAD, "leaf"),
        (BILL, LEAF, dataclasses.replace(STORED, sequence=2), HEAD, "proof"),
        (BILL, LEAF, dataclasses.replace(STORED, institution_number=8), HEAD, "batch-head"),
        (BILL, LEAF, STORED, bytes(32), "batch-head"),
        (
            BILL,
            LEAF,
            dataclasses.replace(STORED, leaves=(LEAVES[0], LEAVES[0])),
            HEAD,
            "batch-head",
        ),
    ],
)
def test_every_disagreement_is_named(
    bill: StoredBill, leaf: BatchLeaf, stored: StoredLeaf, head: bytes, fault: str
) -> None:
    assert fault in commitment_faults(bill, leaf.encode(), stored, head)


@pytest.mark.parametrize(
    ("slot", "own", "code"),
    [
        (dataclasses.replace(EMPTY, flags=SlotState.VOID), None, "void"),
        (dataclasses.replace(EMPTY, flags=SlotState.REVERSED), None, "reversed"),
        (dataclasses.replace(EMPTY, flags=SlotState.ON_PAPER), None, "on-paper"),
        (dataclasses.replace(EMPTY, flags=SlotState.ALIAS), None, "on-paper"),
        (dataclasses.replace(EMPTY, settled_payers=1), None, "already-settled"),
        (dataclasses.replace(EMPTY, open_payer=2, lodge_counter=1), None, "locked"),
        (dataclasses.replace(EMPTY, open_payer=1, lodge_counter=1), None, "locked"),
        (dataclasses.replace(EMPTY, open_payer=1, lodge_counter=2), 1, "locked"),
        (dataclasses.replace(EMPTY, leaf_reference=5), None, "bound-elsewhere"),
        (EMPTY, None, None),
        (dataclasses.replace(EMPTY, settled_payers=2), None, None),
        (
            dataclasses.replace(EMPTY, open_payer=1, lodge_counter=3, leaf_reference=REFERENCE),
            3,
            None,
        ),
    ],
)
def test_what_the_slot_forbids(slot: SlotState, own: int | None, code: str | None) -> None:
    reason = slot_reason(LedgerReading(HEAD, slot, 9), REFERENCE, OwnLock(1, own), "（某某）")
    assert (reason.code if reason else None) == code


def test_a_mismatch_refuses_whatever_the_slot_says() -> None:
    result = screening(
        BILL,
        ["fingerprint"],
        LedgerReading(HEAD, EMPTY, 9),
        reference=REFERENCE,
        own=OwnLock(1, None),
        holder_text="",
    )
    assert result.outcome is StageOutcome.REFUSED
    assert [reason.code for reason in result.reasons] == ["fingerprint-mismatch"]


def test_a_corrected_version_is_refused_in_favour_of_the_new_one() -> None:
    result = screening(
        dataclasses.replace(BILL, is_current=False),
        [],
        LedgerReading(HEAD, EMPTY, 9),
        reference=REFERENCE,
        own=OwnLock(1, None),
        holder_text="",
    )
    assert [reason.code for reason in result.reasons] == ["corrected"]


@pytest.mark.parametrize(("batched", "final"), [(False, False), (True, False)])
def test_data_flow_waits_until_the_batch_is_final(batched: bool, final: bool) -> None:
    result = data_flow(BILL, batched, final)
    assert (result.outcome, result.waiting_for) == (StageOutcome.WAITING, "anchor")
    assert data_flow(BILL, True, True).outcome is StageOutcome.PASSED
