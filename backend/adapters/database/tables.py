"""The tables. Hashes and keys are raw bytes, money integer fen, instants aware UTC.

Facts that must never change (decisions, versions, stages) are insert-only by trigger as well as
by code; migrations/versions creates the triggers named in ``INSERT_ONLY``.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from backend.adapters.database.columns import DataClass, UTCDateTime, column

PUBLIC = DataClass.PUBLIC
INTERNAL = DataClass.INTERNAL
SENSITIVE = DataClass.SENSITIVE
CORE = DataClass.CORE
SECRET = DataClass.SECRET

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = sa.String(40)
_HASH = sa.LargeBinary(32)
_BYTES = sa.LargeBinary
_FEN = sa.BigInteger
_CODE = sa.String(40)
_AT = UTCDateTime


def _id(data_class: DataClass = INTERNAL) -> sa.Column[Any]:
    return column("id", _ID, data_class, primary_key=True)


def _ref(name: str, target: str, *, null: bool = False, index: bool = True) -> sa.Column[Any]:
    return column(name, _ID, INTERNAL, sa.ForeignKey(target), null=null, index=index)


# --- who takes part ---------------------------------------------------------------------------

institution = sa.Table(
    "institution",
    metadata,
    column("code", sa.String(16), PUBLIC, primary_key=True),
    column("name", sa.String(200), PUBLIC),
    column("level", sa.Integer, PUBLIC),
    column("area_code", sa.String(6), PUBLIC),
    column("custody", sa.String(12), PUBLIC),  # self | custodial
    column("agreement_from", sa.Date, PUBLIC),
    column("agreement_until", sa.Date, PUBLIC),
    column("grace_days", sa.Integer, PUBLIC),
    column("ledger_number", sa.Integer, PUBLIC, null=True, unique=True),
    column("ledger_account", sa.String(42), PUBLIC, null=True, unique=True),
    column("created_at", _AT, INTERNAL),
)

api_key = sa.Table(
    "api_key",
    metadata,
    _id(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("key_hash", _HASH, SECRET, unique=True),
    column("created_at", _AT, INTERNAL),
    column("revoked_at", _AT, INTERNAL, null=True),
)

payer = sa.Table(
    "payer",
    metadata,
    column("number", sa.Integer, PUBLIC, primary_key=True, autoincrement=False),
    column("name", sa.String(200), PUBLIC),
    column("payer_class", sa.String(12), PUBLIC),  # basic | non-basic
    column("ledger_account", sa.String(42), PUBLIC, unique=True),
)

# A payer's further accounts beside ``payer.ledger_account``; each may act for its claims.
payer_account = sa.Table(
    "payer_account",
    metadata,
    column("account", sa.String(42), PUBLIC, primary_key=True),
    column("payer_number", sa.Integer, PUBLIC, sa.ForeignKey("payer.number"), index=True),
    column("added_at", _AT, INTERNAL),
)

# The simulated person registry: stands in for the insurance core system behind a port.
person = sa.Table(
    "person",
    metadata,
    _id(),
    column("name", sa.String(100), CORE),
    column("identity_number", sa.String(40), CORE, unique=True),
    column("birth_on", sa.Date, CORE),
    column("gender", sa.String(2), SENSITIVE),
    column("insurance_type", sa.String(6), SENSITIVE),  # insutype 310 | 390
    column("person_type", sa.String(6), SENSITIVE),  # psn_type 1101 | 1102 | ...
    column("cover_from", sa.Date, SENSITIVE),
    column("cover_until", sa.Date, SENSITIVE, null=True),
    column("payee_bank", sa.String(60), SENSITIVE),
    column("payee_account_tail", sa.String(4), SENSITIVE),
)

login = sa.Table(
    "login",
    metadata,
    _id(),
    column("username", sa.String(60), INTERNAL, unique=True),
    column("password_hash", sa.String(255), SECRET),
    column("role", sa.String(20), INTERNAL),  # citizen | reviewer
    _ref("person_id", "person.id", null=True),
    column("is_sample", sa.Boolean, INTERNAL),
)

# A login's cookie is signed and kept by the browser; ended ones are refused by their nonce.
ended_login = sa.Table(
    "ended_login",
    metadata,
    column("nonce_hash", _HASH, INTERNAL, primary_key=True),
    column("ended_at", _AT, INTERNAL),
)

# --- invoices ---------------------------------------------------------------------------------

invoice = sa.Table(
    "invoice",
    metadata,
    _id(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("invoice_code", sa.String(12), SENSITIVE),
    column("invoice_number", sa.String(20), SENSITIVE),
    column("invoice_key", _HASH, INTERNAL, index=True),
    column("second_key", _HASH, INTERNAL),
    column("key_version", sa.Integer, INTERNAL),
    column("kind", sa.Integer, INTERNAL),  # verifier.commitment.batch.RecordKind
    column("state", sa.String(12), INTERNAL),  # active | void | reversed
    column("current_version", sa.Integer, INTERNAL),
    column("payer_id_lookup", _HASH, CORE, index=True),  # keyed hash of the identity number
    column("public_token", sa.String(43), SENSITIVE, unique=True),
    column("original_id", _ID, INTERNAL, null=True, index=True),  # red bill -> its original
    column("created_at", _AT, INTERNAL),
    sa.UniqueConstraint("institution_code", "invoice_code", "invoice_number"),
)

invoice_version = sa.Table(
    "invoice_version",
    metadata,
    _id(),
    _ref("invoice_id", "invoice.id"),
    column("version", sa.Integer, INTERNAL),
    column("header", sa.Text, CORE),  # canonical JSON of the record without its lines
    column("line_count", sa.Integer, INTERNAL),
    column("total_fen", _FEN, SENSITIVE),
    column("borne_fen", _FEN, SENSITIVE),
    column("service_on", sa.Date, SENSITIVE),
    column("fingerprint", _HASH, INTERNAL),
    column("wrapped_secret", _BYTES, SECRET, null=True),  # null once erased
    column("content_digest", _HASH, SECRET),  # keyed hash of the record, compares re-uploads
    column("source_format", sa.String(20), INTERNAL),
    column("source_document", _BYTES, CORE),
    column("marks", sa.Text, INTERNAL),  # JSON list, e.g. unknown catalogue codes by line
    column("uploaded_at", _AT, INTERNAL),
    sa.UniqueConstraint("invoice_id", "version"),
)

# Kept by triggers (migration 0005): what a batch is formed of, found without reading every bill.
unbatched_version = sa.Table(
    "unbatched_version",
    metadata,
    column(
        "institution_code",
        sa.String(16),
        INTERNAL,
        sa.ForeignKey("institution.code"),
        primary_key=True,
    ),
    column(
        "version_id",
        _ID,
        INTERNAL,
        sa.ForeignKey("invoice_version.id"),
        primary_key=True,
        unique=True,
    ),
)

expense_line = sa.Table(
    "expense_line",
    metadata,
    column("version_id", _ID, INTERNAL, sa.ForeignKey("invoice_version.id"), primary_key=True),
    column("line_index", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    column("record", sa.Text, CORE),  # canonical JSON of the line
)

dispute = sa.Table(
    "dispute",
    metadata,
    _id(),
    column("invoice_key", _HASH, INTERNAL, unique=True),
    column("state", sa.String(12), INTERNAL),  # open | ruling | ruled
    column("opened_at", _AT, INTERNAL),
    _ref("upheld_invoice_id", "invoice.id", null=True),
    column("ruled_by", sa.String(60), INTERNAL, null=True),
    column("ruled_at", _AT, INTERNAL, null=True),
    column("reason", sa.Text, SENSITIVE, null=True),
)

# --- batches and the ledger outbox ------------------------------------------------------------

batch = sa.Table(
    "batch",
    metadata,
    _id(),
    column("institution_code", sa.String(16), INTERNAL, sa.ForeignKey("institution.code")),
    column("sequence", sa.Integer, PUBLIC),
    column("previous_head", _HASH, PUBLIC),
    column("root", _HASH, PUBLIC),
    column("size", sa.Integer, PUBLIC),
    column("head", _HASH, PUBLIC),
    column("created_at", _AT, INTERNAL),
    sa.UniqueConstraint("institution_code", "sequence"),
)

batch_leaf = sa.Table(
    "batch_leaf",
    metadata,
    column("batch_id", _ID, INTERNAL, sa.ForeignKey("batch.id"), primary_key=True),
    column("leaf_index", sa.Integer, PUBLIC, primary_key=True, autoincrement=False),
    column("leaf", _BYTES, INTERNAL),  # the 132 bytes of SPEC.md
    column("version_id", _ID, INTERNAL, sa.ForeignKey("invoice_version.id"), unique=True),
)

ledger_intent = sa.Table(
    "ledger_intent",
    metadata,
    _id(),
    column("kind", sa.String(12), INTERNAL),  # backend.domain.ledger.IntentKind
    column("account", sa.String(42), INTERNAL, index=True),
    column("held", sa.Boolean, INTERNAL),  # True: we hold the key; False: offered for signing
    column("dedupe_key", sa.String(120), INTERNAL, unique=True),
    column("subject_id", _ID, INTERNAL, index=True),  # batch, invoice or claim id
    column("payload", sa.Text, INTERNAL),  # JSON of the call's arguments
    column("state", sa.String(12), INTERNAL, index=True),  # backend.domain.ledger.IntentState
    column("outcome", sa.String(40), INTERNAL, null=True),
    column("outcome_detail", sa.Text, INTERNAL, null=True),  # JSON: holder payer, counter, ...
    column("tx_hash", _HASH, PUBLIC, null=True),
    column("block_number", sa.BigInteger, PUBLIC, null=True),
    column("block_hash", _HASH, PUBLIC, null=True),
    column("log_index", sa.Integer, PUBLIC, null=True),
    column("block_at", _AT, PUBLIC, null=True),
    column("tries", sa.Integer, INTERNAL),
    column("created_at", _AT, INTERNAL),
    column("updated_at", _AT, INTERNAL),
)

ledger_transaction = sa.Table(
    "ledger_transaction",
    metadata,
    _id(),
    column("account", sa.String(42), INTERNAL),
    column("nonce", sa.BigInteger, INTERNAL),
    column("chain_id", sa.BigInteger, INTERNAL),
    column("purpose", sa.String(12), INTERNAL),  # call | fill
    column("raw", _BYTES, INTERNAL, null=True),  # null while offered to a self-custody key
    column("unsigned", sa.Text, INTERNAL),  # JSON of the transaction fields
    column("tx_hash", _HASH, PUBLIC, null=True, unique=True),
    column("fencing_token", sa.BigInteger, INTERNAL),
    column("state", sa.String(12), INTERNAL, index=True),  # offered|signed|sent|mined|final|...
    column("block_number", sa.BigInteger, PUBLIC, null=True),
    column("block_hash", _HASH, PUBLIC, null=True),
    column("gas_used", sa.BigInteger, PUBLIC, null=True),
    column("created_at", _AT, INTERNAL),
    column("sent_at", _AT, INTERNAL, null=True),
    column("send_count", sa.Integer, INTERNAL),
    sa.Index("ix_ledger_transaction_account_nonce", "account", "nonce"),
)

ledger_transaction_item = sa.Table(
    "ledger_transaction_item",
    metadata,
    column(
        "transaction_id", _ID, INTERNAL, sa.ForeignKey("ledger_transaction.id"), primary_key=True
    ),
    column("item_index", sa.Integer, INTERNAL, primary_key=True, autoincrement=False),
    _ref("intent_id", "ledger_intent.id"),
)

lease = sa.Table(
    "lease",
    metadata,
    column("name", sa.String(80), INTERNAL, primary_key=True),
    column("owner", sa.String(80), INTERNAL),
    column("fencing_token", sa.BigInteger, INTERNAL),
    column("expires_at", _AT, INTERNAL),
)

account_nonce = sa.Table(
    "account_nonce",
    metadata,
    column("account", sa.String(42), INTERNAL, primary_key=True),
    column("next_nonce", sa.BigInteger, INTERNAL),
    column("fencing_token", sa.BigInteger, INTERNAL),
)

chain_cursor = sa.Table(
    "chain_cursor",
    metadata,
    column("block_number", sa.BigInteger, PUBLIC, primary_key=True, autoincrement=False),
    column("block_hash", _HASH, PUBLIC),
    column("block_at", _AT, PUBLIC),
)

# What a restored database could not adopt from the ledger: open until a person or a later
# upload has dealt with it.
reconciliation_case = sa.Table(
    "reconciliation_case",
    metadata,
    column("id", sa.String(120), INTERNAL, primary_key=True),  # kind and what it is about
    column("kind", _CODE, INTERNAL),
    column("detail", sa.Text, INTERNAL),  # JSON: what the ledger says
    column("found_at", _AT, INTERNAL),
    column("resolved_at", _AT, INTERNAL, null=True),
    column("resolved_by", sa.String(60), INTERNAL, null=True),
    column("resolution", sa.Text, SENSITIVE, null=True),
)

deployment = sa.Table(
    "deployment",
    metadata,
    column("chain_id", sa.BigInteger, PUBLIC, primary_key=True, autoincrement=False),
    column("genesis_hash", _HASH, PUBLIC),
    column("registry", sa.String(42), PUBLIC),
    column("registry_code_hash", _HASH, PUBLIC),
    column("invoice_ledger", sa.String(42), PUBLIC),
    column("invoice_ledger_code_hash", _HASH, PUBLIC),
    column("block_number", sa.BigInteger, PUBLIC),
)

# --- claims -----------------------------------------------------------------------------------

submission = sa.Table(
    "submission",
    metadata,
    _id(),
    column("number", sa.String(24), SENSITIVE, unique=True),  # 受理号
    _ref("person_id", "person.id"),
    column("form_token", sa.String(64), INTERNAL, unique=True),  # minted when the form is drawn
    column("accepted_at", _AT, INTERNAL),
    column("promised_on", sa.Date, INTERNAL),
    column("legal_limit_on", sa.Date, INTERNAL),
    column("consent_at", _AT, INTERNAL),
)

claim = sa.Table(
    "claim",
    metadata,
    _id(),
    column("number", sa.String(28), SENSITIVE, unique=True),
    _ref("submission_id", "submission.id"),
    _ref("person_id", "person.id"),
    _ref("invoice_id", "invoice.id"),
    _ref("version_id", "invoice_version.id"),
    # = invoice_id while the claim is open or settled, null once refused or withdrawn:
    # the database's own refusal of a second live claim.
    column("live_invoice_id", _ID, INTERNAL, null=True, unique=True),
    column("payer_number", sa.Integer, INTERNAL),
    column("lodge_counter", sa.Integer, INTERNAL, null=True),
    column("state", sa.String(16), INTERNAL, index=True),  # backend.domain.claim.ClaimState
    column("waiting_for", sa.String(40), INTERNAL, null=True),
    column("decision_version", sa.Integer, INTERNAL),  # 0 while undecided
    column("benefit_year", sa.Integer, INTERNAL),
    column("service_on", sa.Date, SENSITIVE),
    column("created_at", _AT, INTERNAL),
    column("updated_at", _AT, INTERNAL),
)

claim_stage = sa.Table(
    "claim_stage",
    metadata,
    _id(),
    _ref("claim_id", "claim.id"),
    column("stage", sa.String(16), INTERNAL),  # backend.domain.claim.Stage
    column("attempt", sa.Integer, INTERNAL),
    column("outcome", sa.String(12), INTERNAL),  # passed | waiting | pended | refused
    column("inputs", sa.Text, SENSITIVE),
    column("reasons", sa.Text, SENSITIVE),
    column("started_at", _AT, INTERNAL),
    column("finished_at", _AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "stage", "attempt"),
)

pend_reason = sa.Table(
    "pend_reason",
    metadata,
    _id(),
    _ref("claim_id", "claim.id"),
    column("code", _CODE, INTERNAL),
    column("line_index", sa.Integer, INTERNAL, null=True),
    column("zh", sa.Text, SENSITIVE),
    column("en", sa.Text, SENSITIVE),
    column("raised_at", _AT, INTERNAL),
    column("resolved_at", _AT, INTERNAL, null=True),
    column("resolved_by", sa.String(60), INTERNAL, null=True),
    column("resolution", sa.Text, SENSITIVE, null=True),
    sa.UniqueConstraint("claim_id", "code", "line_index"),
)

calculation = sa.Table(
    "calculation",
    metadata,
    _id(),
    _ref("claim_id", "claim.id"),
    column("version", sa.Integer, INTERNAL),
    column("paid_fen", _FEN, SENSITIVE),
    column("explanation", sa.Text, CORE),
    column("calculated_at", _AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "version"),
)

decision = sa.Table(
    "decision",
    metadata,
    _id(),
    _ref("claim_id", "claim.id"),
    column("version", sa.Integer, INTERNAL),
    column("outcome", sa.String(12), SENSITIVE),  # approved | partial | refused
    column("paid_fen", _FEN, SENSITIVE),
    column("explanation", sa.Text, CORE),  # canonical JSON of the explanation of benefits
    column("fingerprint", _HASH, INTERNAL),
    column("wrapped_secret", _BYTES, SECRET, null=True),
    column("policy_hash", _HASH, PUBLIC),
    column("person_snapshot", sa.Text, CORE),
    column("history_snapshot", sa.Text, CORE),
    column("decided_by", sa.String(60), INTERNAL),
    column("reason", sa.Text, SENSITIVE),
    column("decided_at", _AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "version"),
)

payout = sa.Table(
    "payout",
    metadata,
    column("id", sa.String(60), INTERNAL, primary_key=True),  # derived: claim and version
    _ref("claim_id", "claim.id"),
    column("decision_version", sa.Integer, INTERNAL),
    column("amount_fen", _FEN, SENSITIVE),
    column("payee_bank", sa.String(60), SENSITIVE),
    column("payee_account_tail", sa.String(4), SENSITIVE),
    column("instructed_at", _AT, INTERNAL),
    sa.UniqueConstraint("claim_id", "decision_version"),
)

payout_answer = sa.Table(
    "payout_answer",
    metadata,
    column("payout_id", sa.String(60), INTERNAL, sa.ForeignKey("payout.id"), primary_key=True),
    column("outcome", sa.String(12), INTERNAL),  # paid | returned
    column("bank_reference", sa.String(60), INTERNAL),
    column("simulated", sa.Boolean, INTERNAL),
    column("answered_at", _AT, INTERNAL),
)

policy_pack = sa.Table(
    "policy_pack",
    metadata,
    column("policy_hash", _HASH, PUBLIC, primary_key=True),
    column("name", sa.String(80), PUBLIC),
    column("effective_from", sa.Date, PUBLIC),
    column("document", sa.Text, PUBLIC),  # canonical JSON
    column("created_at", _AT, INTERNAL),
)

alarm = sa.Table(
    "alarm",
    metadata,
    _id(),
    column("code", _CODE, INTERNAL),
    column("subject", sa.String(120), INTERNAL),
    column("detail", sa.Text, INTERNAL),
    column("raised_at", _AT, INTERNAL),
    column("cleared_at", _AT, INTERNAL, null=True),
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
