"""Column types and the data class that every column must declare.

The classes follow the requirement O1 (核心敏感 / 一般敏感): a test fails on a column without one.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class DataClass(StrEnum):
    """How much harm a leak of the column does."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"
    CORE = "core-sensitive"
    SECRET = "secret"  # noqa: S105 - the name of a class of data


class UTCDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC instant with microseconds; a naive value is refused.

    SQLite stores ISO text, since it has no type with a zone.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        assert isinstance(value, dt.datetime)
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def column(
    name: str, kind: Any, data_class: DataClass, *args: Any, null: bool = False, **options: Any
) -> sa.Column[Any]:
    """A column that is NOT NULL unless it says ``null=True`` and carries its data class."""
    return sa.Column(name, kind, *args, nullable=null, info={"data_class": data_class}, **options)
