"""What the database cannot hold is said as an error of ours, and the transaction is gone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database.engine import make_engine
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.domain.errors import UnstorableError
from backend.entrypoints.problems import status_of
from backend.service_layer.payout.stored import kept_instant

NOW = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)


class OutOfRangeError(Exception):
    """As a driver says it."""


def fault() -> sa.exc.DataError:
    return sa.exc.DataError("INSERT", {}, OutOfRangeError("year 9999 and a holder's name"))


def test_a_value_that_the_database_cannot_hold_is_an_error_of_ours(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/books.db")
    with SqlUnitOfWork(engine) as work:
        work.connection.exec_driver_sql("CREATE TABLE kept (id INTEGER)")
        work.commit()
    with (
        pytest.raises(UnstorableError, match=r"^.* / the database .* a value: OutOfRangeError$"),
        SqlUnitOfWork(engine) as work,
    ):
        work.connection.exec_driver_sql("INSERT INTO kept VALUES (1)")
        raise fault()
    with SqlUnitOfWork(engine, write=False) as work:
        assert work.connection.exec_driver_sql("SELECT count(*) FROM kept").scalar() == 0
    engine.dispose()


def test_other_errors_of_the_database_stay_what_they_are(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/books.db")
    with pytest.raises(sa.exc.OperationalError, match="no such table"), SqlUnitOfWork(engine) as w:
        w.connection.exec_driver_sql("SELECT 1 FROM missing")
    engine.dispose()


def test_it_is_no_fault_of_who_asks() -> None:
    assert status_of(UnstorableError("存不下", "it cannot be held")) == 500


@pytest.mark.parametrize("days", [0, 3_653, -3_653])
def test_an_instant_within_ten_years_is_kept(days: int) -> None:
    said = NOW + dt.timedelta(days=days)
    assert kept_instant(said, NOW) == said


@pytest.mark.parametrize("days", [3_654, -3_654])
def test_an_instant_further_away_is_not(days: int) -> None:
    assert kept_instant(NOW + dt.timedelta(days=days), NOW) is None
    assert kept_instant(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC), NOW) is None


def test_sessions_of_postgresql_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    monkeypatch.setattr(sa, "create_engine", lambda url, **options: asked.update(options))
    make_engine("postgresql://yichu@db.example/yichu")
    assert "-c timezone=UTC" in asked["connect_args"]["options"]
