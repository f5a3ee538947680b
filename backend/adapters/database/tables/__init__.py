"""The tables. Hashes and keys are raw bytes, money integer fen, instants aware UTC.

A module holds the tables of one subject. Facts that must never change (decisions, versions,
stages) are insert-only by trigger as well as by code; migrations/versions creates the triggers
named in ``INSERT_ONLY``.
"""

from __future__ import annotations

from typing import Final

from backend.adapters.database.tables.claims import (
    calculation,
    claim,
    claim_stage,
    decision,
    payout,
    payout_answer,
    pend_reason,
    policy_pack,
    submission,
)
from backend.adapters.database.tables.invoices import (
    dispute,
    expense_line,
    invoice,
    invoice_version,
    unbatched_version,
)
from backend.adapters.database.tables.ledger import (
    account_nonce,
    alarm,
    batch,
    batch_leaf,
    chain_cursor,
    deployment,
    lease,
    ledger_intent,
    ledger_transaction,
    ledger_transaction_item,
    reconciliation_case,
)
from backend.adapters.database.tables.metadata import (
    metadata,
)
from backend.adapters.database.tables.parties import (
    api_key,
    ended_login,
    institution,
    login,
    payer,
    payer_account,
    person,
)

INSERT_ONLY: Final = (
    "invoice_version",
    "expense_line",
    "batch",
    "batch_leaf",
    "claim_stage",
    "calculation",
    "decision",
    "payout",
    "payout_answer",
    "policy_pack",
)

__all__ = [
    "INSERT_ONLY",
    "account_nonce",
    "alarm",
    "api_key",
    "batch",
    "batch_leaf",
    "calculation",
    "chain_cursor",
    "claim",
    "claim_stage",
    "decision",
    "deployment",
    "dispute",
    "ended_login",
    "expense_line",
    "institution",
    "invoice",
    "invoice_version",
    "lease",
    "ledger_intent",
    "ledger_transaction",
    "ledger_transaction_item",
    "login",
    "metadata",
    "payer",
    "payer_account",
    "payout",
    "payout_answer",
    "pend_reason",
    "person",
    "policy_pack",
    "reconciliation_case",
    "submission",
    "unbatched_version",
]
