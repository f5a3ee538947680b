"""Runs the migrations on the connection that ``backend.adapters.database.schema`` hands over."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from backend.adapters.database.columns import UTCDateTime
from backend.adapters.database.tables import metadata


def _render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Migrations name plain types, so that they do not change when the application does."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _is_ours(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    return not (kind == "table" and name == "alembic_version")


def _run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_item=_render_item,
        include_object=_is_ours,
        render_as_batch=False,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
