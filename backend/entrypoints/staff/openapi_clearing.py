"""The part of the staff API's description about the yearly clearing."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.clearing import YEAR_MAX, YEAR_MIN
from backend.entrypoints.staff.openapi_parts import (
    KEY,
    TEXT,
    body,
    in_path,
    in_query,
    operation,
)

_HERE: Final = "/staff/v1/clearing"
_YEAR: Final = {"type": "integer", "minimum": YEAR_MIN, "maximum": YEAR_MAX}
_REASON: Final = body(("reason",), reason=TEXT)


def clearing_paths() -> dict[str, Any]:
    """Try a year, run its clearing, decide on what it asks back, read a hospital's year."""
    run = {"parameters": in_path("run_id")}
    item = {"parameters": in_path("item_id")}
    page = in_query(after=TEXT, limit={"type": "integer", "minimum": 1, "maximum": 200})
    year = [{"name": "year", "in": "query", "required": True, "schema": _YEAR}]
    some = in_query(after=TEXT, people={"type": "integer", "minimum": 1, "maximum": 50})
    begin = body(("year",), year=_YEAR, year_open={"type": "boolean"})
    return {
        f"{_HERE}/trial": {
            "get": operation(
                "tryClearing", "试算", "What a clearing would find of the next people", 200,
                parameters=[*year, *some],
            )
        },
        f"{_HERE}/runs": {
            "get": operation(
                "clearingRuns", "历次清算", "The runs, the newest first", 200,
                parameters=in_query(year=_YEAR),
            ),
            "post": operation(
                "beginClearing", "开始清算", "Begin, or go on; the worker carries on", 202,
                parameters=KEY, **begin,
            ),
        },
        f"{_HERE}/runs/{{run_id}}": {
            "get": operation("clearingRun", "一次清算", "How far it is, what it found", 200)
        } | run,
        f"{_HERE}/runs/{{run_id}}/differences": {
            "get": operation(
                "clearingDifferences", "差额", "What a run found first", 200, parameters=page
            )
        } | run,
        f"{_HERE}/differences": {
            "get": operation(
                "waitingDifferences", "待确认的追回", "What two people decide on", 200,
                parameters=page,
            )
        },
        f"{_HERE}/differences/{{item_id}}": {
            "get": operation("difference", "一项差额", "One difference, actions as links", 200)
        } | item,
        f"{_HERE}/differences/{{item_id}}/confirm": {
            "post": operation("confirmDifference", "确认（两人）", "One of two", 200, **_REASON)
        } | item,
        f"{_HERE}/differences/{{item_id}}/decline": {
            "post": operation("declineDifference", "不追回", "Nothing is owed", 200, **_REASON)
        } | item,
        f"{_HERE}/statements/{{hospital}}": {
            "get": operation(
                "hospitalStatement", "医院年度对账单", "A hospital's year", 200, parameters=year
            ),
            "parameters": in_path("hospital"),
        },
    }  # fmt: skip
