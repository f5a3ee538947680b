"""Claims as bare rows, for money that belongs to one: what a journal entry refers to."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from backend.adapters.database import tables

AT = dt.datetime(2026, 11, 1, 2, tzinfo=dt.UTC)


def add_claims(engine: sa.Engine, *numbers: str) -> None:
    """Settled claims with ids ``clm_<number>``, all of one person on bills of one hospital."""
    with engine.begin() as connection:
        if connection.execute(sa.select(tables.person.c.id)).first() is None:
            _parties(connection)
        for number in numbers:
            _claim(connection, number)


def _parties(connection: sa.Connection) -> None:
    connection.execute(
        tables.person.insert().values(
            id="per_1", name="测试", identity_number="TEST-1", birth_on=dt.date(1980, 1, 1),
            gender="女", payee_bank="", payee_account_tail="",
        )
    )  # fmt: skip
    connection.execute(
        tables.institution.insert().values(
            code="H1", name="测试医院", level=2, area_code="330800", custody="self",
            agreement_from=dt.date(2020, 1, 1), agreement_until=dt.date(2030, 1, 1),
            grace_days=1, created_at=AT,
        )
    )  # fmt: skip


def _claim(connection: sa.Connection, number: str) -> None:
    connection.execute(
        tables.invoice.insert().values(
            id=f"inv_{number}", institution_code="H1", invoice_code="33060126",
            invoice_number=number, invoice_key=bytes(32), second_key=bytes(32), key_version=1,
            kind=1, state="active", current_version=1, payer_id_lookup=bytes(32),
            public_token=number, created_at=AT,
        )
    )  # fmt: skip
    connection.execute(
        tables.invoice_version.insert().values(
            id=f"ver_{number}", invoice_id=f"inv_{number}", version=1, header="{}", line_count=1,
            total_fen=1, borne_fen=0, service_on=AT.date(), fingerprint=bytes(32),
            content_digest=bytes(32), source_format="json", source_document=b"{}", marks="[]",
            uploaded_at=AT,
        )
    )  # fmt: skip
    connection.execute(
        tables.submission.insert().values(
            id=f"sub_{number}", number=f"S{number}", person_id="per_1", form_token=number,
            accepted_at=AT, promised_on=AT.date(), legal_limit_on=AT.date(), consent_at=AT,
        )
    )  # fmt: skip
    connection.execute(
        tables.claim.insert().values(
            id=f"clm_{number}", number=number, submission_id=f"sub_{number}", person_id="per_1",
            invoice_id=f"inv_{number}", version_id=f"ver_{number}",
            live_invoice_id=f"inv_{number}", payer_number=1, lodge_counter=1, state="settled",
            decision_version=1, benefit_year=2026, service_on=AT.date(), created_at=AT,
            updated_at=AT,
        )
    )  # fmt: skip
