"""The OpenAPI 3.1 description of the staff API."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from backend.domain.ruling import RulingKind
from backend.entrypoints.staff.openapi_clearing import clearing_paths
from backend.entrypoints.staff.openapi_money import money_paths
from backend.entrypoints.staff.openapi_parts import KEY, RULINGS, TEXT, body, in_path, operation
from backend.entrypoints.staff.openapi_recovery import recovery_paths
from backend.entrypoints.staff.openapi_supervision import more_case_paths, supervision_paths
from backend.entrypoints.staff.problem_codes import PROBLEMS

_FINDING: Final = body(("reason",), reason=TEXT, rulings=RULINGS)


def _case_paths() -> dict[str, Any]:
    one = "/staff/v1/cases/{case_id}"
    case_id = {"parameters": in_path("case_id")}
    return {
        one: {"get": operation("case", "一个案件", "One case, actions as links", 200)} | case_id,
        f"{one}/preview": {
            "post": operation(
                "preview", "试算", "What the claim comes to under these rulings", 200,
                **body((), rulings=RULINGS),
            )
        } | case_id,
        f"{one}/resolve": {
            "post": operation(
                "resolve", "处理部分事项", "Resolve some of the reasons", 200,
                **body(
                    ("reasons", "reason"),
                    reasons={"type": "array", "items": {"type": "string"}},
                    reason=TEXT, rulings=RULINGS,
                ),
            )
        } | case_id,
        f"{one}/approve": {
            "post": operation("approve", "通过", "Finish the step, approving", 200, **_FINDING)
        } | case_id,
        f"{one}/refuse": {
            "post": operation("refuse", "不予通过", "Finish the step, refusing", 200, **_FINDING)
        } | case_id,
        f"{one}/decline": {
            "post": operation(
                "decline", "退回分派", "Give the step back", 200, **body(("reason",), reason=TEXT)
            )
        } | case_id,
        f"{one}/material-requests": {
            "post": operation(
                "askForMaterial", "要求补充材料", "Ask the citizen, at most twice", 201,
                **body(("needed_zh", "needed_en"), needed_zh=TEXT, needed_en=TEXT),
            )
        } | case_id,
        f"{one}/assign": {
            "post": operation("assign", "抽取审核人", "Draw a person (supervisors)", 200)
        } | case_id,
        f"{one}/files/{{ordinal}}/{{position}}": {
            "get": operation("file", "附件", "An attachment, as a download", 200),
            "parameters": in_path("case_id", "ordinal", "position"),
        },
    }  # fmt: skip


def _outside_paths() -> dict[str, Any]:
    one = "/staff/v1/outside/{number}"
    number = {"parameters": in_path("number")}
    flag = {"type": "boolean"}
    bill = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
    hospital = body(
        ("hospital_code", "hospital_name", "level", "area_code", "is_authentic", "lines_agree",
         "reason"),
        hospital_code=TEXT, hospital_name=TEXT, area_code=TEXT, reason=TEXT,
        level={"type": "integer", "minimum": 1, "maximum": 3},
        is_emergency=flag, is_authentic=flag, lines_agree=flag,
    )  # fmt: skip
    confirm = body(("approves", "reason"), approves=flag, reason=TEXT)
    return {
        "/staff/v1/outside": {
            "get": operation("outsideBills", "外来票据", "Bills from outside that wait", 200)
        },
        one: {"get": operation("outsideBill", "一张外来票据", "One of them", 200)} | number,
        f"{one}/files/{{digest}}": {
            "get": operation("outsideFile", "文件", "A file, as a download", 200),
            "parameters": in_path("number", "digest"),
        },
        f"{one}/type": {
            "post": operation("outsideType", "录入", "What the picture says", 200, **bill)
        } | number,
        f"{one}/compare": {
            "post": operation("outsideCompare", "复录比对", "The second person", 200, **bill)
        } | number,
        f"{one}/check": {
            "post": operation("outsideCheck", "就医地审核", "Accept it", 200, **hospital)
        } | number,
        f"{one}/reject": {
            "post": operation(
                "outsideReject", "不予收下", "Refuse it", 200, **body(("reason",), reason=TEXT)
            )
        } | number,
        f"{one}/confirm": {
            "post": operation("outsideConfirm", "参保地确认", "Decide the claim", 200, **confirm)
        } | number,
    }  # fmt: skip


def _claim_paths() -> dict[str, Any]:
    one = "/staff/v1/claims/{number}"
    number = {"parameters": in_path("number")}
    return {
        f"{one}/history": {
            "get": operation("claimHistory", "各版本", "Versions, requests, events", 200)
        } | number,
        f"{one}/withdraw": {
            "post": operation(
                "withdrawClaim", "代为撤回", "Withdraw for a citizen", 200,
                **body(("text",), text=TEXT),
            )
        } | number,
    }  # fmt: skip


def _paths() -> dict[str, Any]:
    sign_in = operation(
        "signIn", "登录", "A bearer token", 201,
        **body(("username",), username=TEXT, password=TEXT, code=TEXT),
    )  # fmt: skip
    return {
        "/staff/v1/session": {
            "post": sign_in | {"security": []},
            "delete": operation("signOut", "退出", "End the token", 204),
        },
        "/staff/v1/me": {"get": operation("me", "本人", "Who the token belongs to", 200)},
        "/staff/v1/cases": {"get": operation("myCases", "我的案件", "The steps I hold", 200)},
        "/staff/v1/cases/next": {
            "post": operation("nextCase", "领取", "The next case, drawn", 200, 204,
                               parameters=KEY)
        },
        **_case_paths(),
        **_outside_paths(),
        **_claim_paths(),
        **more_case_paths(),
        **supervision_paths(),
        **recovery_paths(),
        **clearing_paths(),
        **money_paths(),
        "/staff/v1/overdue": {"get": operation("overdue", "超期", "What is late, by stage", 200)},
        "/staff/v1/statistics": {"get": operation("statistics", "统计", "Figures", 200)},
        "/staff/v1/openapi.json": {
            "get": operation("openapi", "本说明", "This description", 200) | {"security": []}
        },
    }  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """The whole description; made once."""
    ruling = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "line_index": {"type": "integer", "minimum": 0},
            "kind": {"type": "string", "enum": [str(kind) for kind in RulingKind]},
            "catalogue_code": {"type": "string", "maxLength": 50},
            "limit_fen": {"type": "integer", "minimum": 0},
            "basis_zh": {"type": "string", "maxLength": 500},
            "basis_en": {"type": "string", "maxLength": 500},
        },
        "required": ["line_index", "kind", "basis_zh"],
    }
    problem = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "enum": sorted(PROBLEMS), "x-extensible-enum": True},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "detail_en": {"type": "string"},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Yichu 一触 staff API",
            "version": "1.0.0",
            "description": "审核人员接口 / review by people at work. docs/review.md explains it.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {"Ruling": ruling, "Problem": problem},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
