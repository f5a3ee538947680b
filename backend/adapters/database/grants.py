"""Rights of the role that the application connects as on PostgreSQL.

The role owns nothing, so it cannot take triggers or constraints away, and it may not even ask to
change what is insert-only. Whoever owns the tables migrates and grants, and does nothing else.
"""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import DomainError

ERASABLE: Final = {"invoice_version": "wrapped_secret", "decision": "wrapped_secret"}
"""The one column of an insert-only table that an erasure empties."""

LOCKED: Final = {"lead": "id"}
"""Insert-only tables whose rows are locked while a step is added; PostgreSQL asks for the right to
change a column of them, which the trigger refuses all the same."""

_ROLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class GrantError(DomainError):
    """A role that cannot be given the application's rights."""

    code = "bad-role"


def grant_application(engine: sa.Engine, role: str) -> None:
    """Give ``role`` what the application needs and take everything else; safe to run again.

    Raises :class:`GrantError` on SQLite, for a role that is not there, and for one that the rules
    would not bind: a superuser, or the owner of the tables.
    """
    if engine.dialect.name != "postgresql":
        raise GrantError("只有 PostgreSQL 有角色", "only PostgreSQL has roles")
    if not _ROLE.fullmatch(role):
        raise GrantError("角色名应为小写字母、数字和下划线", "a role is of a-z, 0-9 and _")
    with engine.begin() as connection:
        _require_bound(connection, role)
        schema = connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
        statements = [
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT ON alembic_version TO {role}",
        ]
        for table in sorted(tables.metadata.tables):
            if table not in tables.INSERT_ONLY:
                statements.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")
                continue
            statements.append(f"GRANT SELECT, INSERT ON {table} TO {role}")
            column = ERASABLE.get(table) or LOCKED.get(table)
            if column:
                statements.append(f"GRANT UPDATE ({column}) ON {table} TO {role}")
        for statement in statements:
            connection.exec_driver_sql(statement)


def _require_bound(connection: sa.Connection, role: str) -> None:
    is_super = connection.execute(
        sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).scalar_one_or_none()
    if is_super is None:
        raise GrantError(f"没有角色 {role}", f"there is no role {role}: create it first")
    is_owner = connection.execute(
        sa.text(
            "SELECT pg_has_role(:role, relowner, 'MEMBER') FROM pg_class "
            "WHERE oid = 'journal_entry'::regclass"
        ),
        {"role": role},
    ).scalar_one()
    if is_super or is_owner:
        raise GrantError(
            f"{role} 是超级用户或表的所有者，规则约束不了它",
            f"{role} is a superuser or owns the tables: no rule binds it",
        )
