"""Logs of the invoice ledger as the anchoring service's events."""

from __future__ import annotations

from typing import Any, Final

from backend.adapters.ledger.codec import decode_log
from backend.service_layer.anchoring.model import LedgerEvent

# The order of `Call`, `Outcome` and `AnchorOutcome` in contracts/interfaces/IInvoiceLedger.sol;
# a test compares them with the source.
CALLS: Final = (
    "none", "lodge", "settle", "release", "renew", "expire", "supersede", "void", "reverse", "rule",
    "supplement", "recover", "exchange", "return",
)  # fmt: skip
OUTCOMES: Final = (
    "done", "repeated", "paused", "suspended", "stale", "locked", "settled-by-payer",
    "settled-by-basic", "settled", "already-settled", "is-void", "is-reversed", "is-on-paper",
    "bound-elsewhere", "second-key-bound", "nothing-left", "kind-refused", "kind-not-for-basic",
    "bad-deadline", "not-due", "policy-unknown", "over-total", "not-later", "bad-leaf", "bad-batch",
    "foreign-leaf", "bad-proof", "quarantined", "bad-flags", "retired", "not-settled", "bad-amount",
    "bad-version", "number-used", "paper-key-bound", "is-paper",
)  # fmt: skip
ANCHOR_OUTCOMES: Final = (
    "done", "repeated", "conflict", "not-next", "suspended", "before-agreement", "after-grace",
    "paused", "retired",
)  # fmt: skip
ANCHOR_BARS: Final = ("", "suspended", "before-agreement", "after-grace", "paused")

_DETAIL_FIELDS: Final = (
    ("item_index", 8), ("call", 8), ("outcome", 8), ("payer", 8), ("counter", 16),
    ("holder_payer", 8), ("holder_counter", 16), ("leaf_reference", 48), ("value", 40),
    ("decision_version", 16), ("paid", 40), ("total", 40),
)  # fmt: skip


def decode_detail(word: int) -> dict[str, int]:
    """The detail word of a claim event, low bit first."""
    values, shift = {}, 0
    for name, width in _DETAIL_FIELDS:
        values[name] = (word >> shift) & ((1 << width) - 1)
        shift += width
    return values


def to_event(log: dict[str, Any]) -> LedgerEvent | None:
    """A JSON-RPC log of the invoice ledger, None when it is no event of ours."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    decoded = decode_log("InvoiceLedger", topics, bytes.fromhex(log["data"][2:]))
    if decoded is None:
        return None
    name, values = decoded
    place: dict[str, Any] = {
        "tx_hash": bytes.fromhex(log["transactionHash"][2:]),
        "block_number": int(log["blockNumber"], 16),
        "block_hash": bytes.fromhex(log["blockHash"][2:]),
        "log_index": int(log["logIndex"], 16),
    }
    if name in ("Anchored", "AnchorUnchanged"):
        return LedgerEvent(
            call="anchor",
            outcome=ANCHOR_OUTCOMES[values.get("outcome", 0)],
            item_index=0,
            key=values["root"],
            values={
                "institution": values["institution"],
                "sequence": values["sequence"],
                "account": values["account"],
                "previous_head": values["previousHead"],
                "head": values["head"],
                "size": values["size"],
            },
            **place,
        )
    detail = decode_detail(values["detail"])
    call, outcome = CALLS[detail.pop("call")], OUTCOMES[detail.pop("outcome")]
    rest: dict[str, Any] = dict(detail)
    for source, target in _EXTRA:
        if source in values:
            rest[target] = values[source]
    return LedgerEvent(
        call=call,
        outcome=outcome,
        item_index=rest.pop("item_index"),
        key=values["invoiceKey"],
        values=rest,
        **place,
    )


_EXTRA: Final = (
    ("decisionFingerprint", "decision_fingerprint"),
    ("policyHash", "policy_hash"),
    ("fromReference", "from_reference"),
    ("recoveryNumber", "recovery_number"),
    ("paperKey", "paper_key"),
    ("before", "slot_before"),
    ("reason", "reason_digest"),
)
