"""The one MetaData of all tables, and the column kinds that they are made of."""

from __future__ import annotations

from typing import Any

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

ID = sa.String(40)
HASH = sa.LargeBinary(32)
BYTES = sa.LargeBinary
FEN = sa.BigInteger
CODE = sa.String(40)
AT = UTCDateTime


def identifier(data_class: DataClass = INTERNAL) -> sa.Column[Any]:
    """The primary key of a row: an opaque text of our own making."""
    return column("id", ID, data_class, primary_key=True)


def reference(name: str, target: str, *, null: bool = False, index: bool = True) -> sa.Column[Any]:
    """A foreign key to another table's identifier."""
    return column(name, ID, INTERNAL, sa.ForeignKey(target), null=null, index=index)
