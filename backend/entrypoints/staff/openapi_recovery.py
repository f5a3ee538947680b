"""The part of the staff API's description about recoveries."""

from __future__ import annotations

from typing import Any, Final

from backend.entrypoints.staff.openapi_parts import TEXT, body, in_path, in_query, operation

_V1: Final = "/staff/v1"
_REASON: Final = body(("reason",), reason=TEXT)
_DAY: Final = {"type": "string", "format": "date"}
_FEN: Final = {"type": "integer", "minimum": 1}


def recovery_paths() -> dict[str, Any]:
    """What is owed back, and what people do with it."""
    one = f"{_V1}/recoveries/{{order_id}}"
    order_id = {"parameters": in_path("order_id")}
    page = in_query(
        after=TEXT, limit={"type": "integer", "minimum": 1, "maximum": 200},
        closed={"type": "string", "enum": ["1"]},
    )  # fmt: skip
    parts = body(
        ("parts", "first_due_on", "reason"),
        parts={"type": "integer", "minimum": 1, "maximum": 60}, first_due_on=_DAY, reason=TEXT,
    )  # fmt: skip
    money = body(
        ("reference", "amount_fen", "received_on"),
        reference={"type": "string", "maxLength": 60}, amount_fen=_FEN, received_on=_DAY,
    )  # fmt: skip
    steps = (
        ("approve", "approveRecovery", "批准（两人）", "One of two people says it stands", _REASON),
        ("dismiss", "dismissRecovery", "驳回", "Nothing is owed", _REASON),
        ("plan", "planRecovery", "分期", "Monthly parts of what is left", parts),
        ("receipts", "receiveMoney", "登记到账", "Money that came back", money),
        ("waiver-requests", "askWaiver", "申请豁免", "Ask to give up what is left", _REASON),
        ("waiver", "approveWaiver", "批准豁免（另一人）", "Give it up", body(())),
    )
    return {
        f"{_V1}/recoveries": {
            "get": operation(
                "recoveries", "追款", "What is owed back, the newest first", 200, parameters=page
            )
        },
        one: {"get": operation("recovery", "一笔追款", "One order, actions as links", 200)}
        | order_id,
        **{
            f"{one}/{path}": {"post": operation(name, zh, en, 200, **content)} | order_id
            for path, name, zh, en, content in steps
        },
        f"{_V1}/leads/{{lead_id}}/recoveries": {
            "post": operation(
                "assignRecovery", "分到申请", "Lay a part of a finding on one claim", 201,
                **body(("claim", "amount_fen"), claim=TEXT, amount_fen=_FEN),
            ),
            "parameters": in_path("lead_id"),
        },
    }  # fmt: skip
