"""The OpenAPI 3.1 description of the staff API."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from backend.domain.ruling import RulingKind
from backend.entrypoints.staff.problem_codes import PROBLEMS

_TEXT: Final = {"type": "string", "maxLength": 2_000}
_RULINGS: Final = {
    "type": "array", "maxItems": 5_000, "items": {"$ref": "#/components/schemas/Ruling"}
}  # fmt: skip


def _answers(*codes: int) -> dict[str, Any]:
    texts = {200: "OK", 201: "Made", 204: "Nothing there"}
    found: dict[str, Any] = {}
    for code in codes:
        found[str(code)] = {"description": texts[code]}
        if code != 204:
            found[str(code)]["content"] = {"application/json": {"schema": {"type": "object"}}}
    found["default"] = {
        "description": "A problem (RFC 9457)",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    return found


def _operation(name: str, zh: str, en: str, *codes: int, **more: Any) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": f"{zh} / {en}",
        "security": [{"token": []}],
        "responses": _answers(*codes),
        **more,
    }


def _body(required: tuple[str, ...], **members: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "required": list(required),
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _in_path(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]


_KEY: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "minLength": 8, "maxLength": 64},
    }
]
_FINDING: Final = _body(("reason",), reason=_TEXT, rulings=_RULINGS)


def _case_paths() -> dict[str, Any]:
    one = "/staff/v1/cases/{case_id}"
    case_id = {"parameters": _in_path("case_id")}
    return {
        one: {"get": _operation("case", "一个案件", "One case, actions as links", 200)} | case_id,
        f"{one}/preview": {
            "post": _operation(
                "preview", "试算", "What the claim comes to under these rulings", 200,
                **_body((), rulings=_RULINGS),
            )
        } | case_id,
        f"{one}/resolve": {
            "post": _operation(
                "resolve", "处理部分事项", "Resolve some of the reasons", 200,
                **_body(
                    ("reasons", "reason"),
                    reasons={"type": "array", "items": {"type": "string"}},
                    reason=_TEXT, rulings=_RULINGS,
                ),
            )
        } | case_id,
        f"{one}/approve": {
            "post": _operation("approve", "通过", "Finish the step, approving", 200, **_FINDING)
        } | case_id,
        f"{one}/refuse": {
            "post": _operation("refuse", "不予通过", "Finish the step, refusing", 200, **_FINDING)
        } | case_id,
        f"{one}/decline": {
            "post": _operation(
                "decline", "退回分派", "Give the step back", 200, **_body(("reason",), reason=_TEXT)
            )
        } | case_id,
        f"{one}/material-requests": {
            "post": _operation(
                "askForMaterial", "要求补充材料", "Ask the citizen, at most twice", 201,
                **_body(("needed_zh", "needed_en"), needed_zh=_TEXT, needed_en=_TEXT),
            )
        } | case_id,
        f"{one}/assign": {
            "post": _operation("assign", "抽取审核人", "Draw a person (supervisors)", 200)
        } | case_id,
        f"{one}/files/{{ordinal}}/{{position}}": {
            "get": _operation("file", "附件", "An attachment, as a download", 200),
            "parameters": _in_path("case_id", "ordinal", "position"),
        },
    }  # fmt: skip


def _outside_paths() -> dict[str, Any]:
    one = "/staff/v1/outside/{number}"
    number = {"parameters": _in_path("number")}
    flag = {"type": "boolean"}
    bill = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
    hospital = _body(
        ("hospital_code", "hospital_name", "level", "area_code", "is_authentic", "lines_agree",
         "reason"),
        hospital_code=_TEXT, hospital_name=_TEXT, area_code=_TEXT, reason=_TEXT,
        level={"type": "integer", "minimum": 1, "maximum": 3},
        is_emergency=flag, is_authentic=flag, lines_agree=flag,
    )  # fmt: skip
    confirm = _body(("approves", "reason"), approves=flag, reason=_TEXT)
    return {
        "/staff/v1/outside": {
            "get": _operation("outsideBills", "外来票据", "Bills from outside that wait", 200)
        },
        one: {"get": _operation("outsideBill", "一张外来票据", "One of them", 200)} | number,
        f"{one}/files/{{digest}}": {
            "get": _operation("outsideFile", "文件", "A file, as a download", 200),
            "parameters": _in_path("number", "digest"),
        },
        f"{one}/type": {
            "post": _operation("outsideType", "录入", "What the picture says", 200, **bill)
        } | number,
        f"{one}/compare": {
            "post": _operation("outsideCompare", "复录比对", "The second person", 200, **bill)
        } | number,
        f"{one}/check": {
            "post": _operation("outsideCheck", "就医地审核", "Accept it", 200, **hospital)
        } | number,
        f"{one}/reject": {
            "post": _operation(
                "outsideReject", "不予收下", "Refuse it", 200, **_body(("reason",), reason=_TEXT)
            )
        } | number,
        f"{one}/confirm": {
            "post": _operation("outsideConfirm", "参保地确认", "Decide the claim", 200, **confirm)
        } | number,
    }  # fmt: skip


def _claim_paths() -> dict[str, Any]:
    one = "/staff/v1/claims/{number}"
    number = {"parameters": _in_path("number")}
    return {
        f"{one}/history": {
            "get": _operation("claimHistory", "各版本", "Versions, requests, events", 200)
        } | number,
        f"{one}/withdraw": {
            "post": _operation(
                "withdrawClaim", "代为撤回", "Withdraw for a citizen", 200,
                **_body(("text",), text=_TEXT),
            )
        } | number,
    }  # fmt: skip


def _paths() -> dict[str, Any]:
    sign_in = _operation(
        "signIn", "登录", "A bearer token", 201,
        **_body(("username",), username=_TEXT, password=_TEXT, code=_TEXT),
    )  # fmt: skip
    return {
        "/staff/v1/session": {
            "post": sign_in | {"security": []},
            "delete": _operation("signOut", "退出", "End the token", 204),
        },
        "/staff/v1/me": {"get": _operation("me", "本人", "Who the token belongs to", 200)},
        "/staff/v1/cases": {"get": _operation("myCases", "我的案件", "The steps I hold", 200)},
        "/staff/v1/cases/next": {
            "post": _operation("nextCase", "领取", "The next case, drawn", 200, 204,
                               parameters=_KEY)
        },
        **_case_paths(),
        **_outside_paths(),
        **_claim_paths(),
        "/staff/v1/overdue": {"get": _operation("overdue", "超期", "What is late, by stage", 200)},
        "/staff/v1/statistics": {"get": _operation("statistics", "统计", "Figures", 200)},
        "/staff/v1/openapi.json": {
            "get": _operation("openapi", "本说明", "This description", 200) | {"security": []}
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
