"""The one cover period of each person becomes a fact, and the last one goes back."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.database.register_repository import RegisterRepository
from backend.adapters.database.schema import migrate, migrate_down
from backend.domain.errors import ConflictError
from backend.domain.register import FactKind, RegisterFact, known_facts

_PERSON = sa.text(
    "INSERT INTO person (id, name, identity_number, birth_on, gender, insurance_type, "
    "person_type, cover_from, cover_until, payee_bank, payee_account_tail) VALUES "
    "(:id, '测试', :id, '1980-01-01', '女', :insurance, :kind, '2021-01-01', :until, 'b', '1234')"
)


def put_people(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for values in (
            {"id": "per_1", "insurance": "310", "kind": "1102", "until": None},
            {"id": "per_2", "insurance": "390", "kind": "other", "until": "2026-06-30"},
        ):
            connection.execute(_PERSON, values)


def facts(engine: sa.Engine, person_id: str) -> list[RegisterFact]:
    with engine.begin() as connection:
        return RegisterRepository(connection).facts_of(person_id)


def test_cover_moves_to_the_register_and_back(engine: sa.Engine) -> None:
    migrate(engine, "0006")
    put_people(engine)
    migrate(engine)
    (employee,), (resident,) = facts(engine, "per_1"), facts(engine, "per_2")
    assert (employee.kind, employee.code, employee.detail) == (FactKind.COVER, "310", "1102")
    assert (employee.valid_from, employee.valid_to) == (dt.date(2021, 1, 1), None)
    assert (resident.code, resident.detail) == ("390", "resident")
    assert resident.valid_to == dt.date(2026, 6, 30)
    assert employee.source == "simulated" and employee.recorded_at.tzinfo is not None
    assert {column["name"] for column in sa.inspect(engine).get_columns("person")} == set(
        tables.person.columns.keys()
    )
    migrate_down(engine, "0006")
    with engine.begin() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT id, insurance_type, person_type, cover_from, cover_until FROM person "
                "ORDER BY id"
            )
        ).all()
    assert [tuple(str(value) for value in row) for row in rows] == [
        ("per_1", "310", "1102", "2021-01-01", "None"),
        ("per_2", "390", "other", "2021-01-01", "2026-06-30"),
    ]
    migrate(engine)
    assert len(facts(engine, "per_1")) == 1


def test_only_one_fact_supersedes_another(engine: sa.Engine) -> None:
    migrate(engine, "0006")
    put_people(engine)
    migrate(engine)
    (old,) = facts(engine, "per_1")

    def correction(identifier: str) -> RegisterFact:
        return RegisterFact(
            id=identifier, person_id="per_1", kind=FactKind.COVER, code="310", detail="1102",
            valid_from=old.valid_from, valid_to=dt.date(2026, 12, 31), filed_on=None,
            supersedes=old.id, is_withdrawn=False, source="simulated", recorded_by="x",
            reason="x", recorded_at=old.recorded_at + dt.timedelta(days=20_000),
        )  # fmt: skip

    with engine.begin() as connection:
        RegisterRepository(connection).add(correction("fct_a"))
        with pytest.raises(ConflictError, match="corrected already"):
            RegisterRepository(connection).add(correction("fct_b"))
    assert [one.id for one in known_facts(facts(engine, "per_1"))] == ["fct_a"]


@pytest.mark.parametrize(
    "statement", ["UPDATE register_fact SET valid_to = NULL", "DELETE FROM register_fact"]
)
def test_facts_of_the_register_cannot_be_changed(engine: sa.Engine, statement: str) -> None:
    migrate(engine, "0006")
    put_people(engine)
    migrate(engine)
    with (
        pytest.raises(sa.exc.DBAPIError, match="register_fact is insert-only"),
        engine.begin() as c,
    ):
        c.exec_driver_sql(statement)
