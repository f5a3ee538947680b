"""What the pieces of the staff API's OpenAPI description are made of."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = {"type": "string", "maxLength": 2_000}
WHOLE: Final = {"type": "integer", "minimum": 0}
RULINGS: Final = {
    "type": "array", "maxItems": 5_000, "items": {"$ref": "#/components/schemas/Ruling"}
}  # fmt: skip
KEY: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "minLength": 8, "maxLength": 64},
    }
]


def answers(*codes: int) -> dict[str, Any]:
    texts = {200: "OK", 201: "Made", 202: "Begun", 204: "Nothing there"}
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


def operation(name: str, zh: str, en: str, *codes: int, **more: Any) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": f"{zh} / {en}",
        "security": [{"token": []}],
        "responses": answers(*codes),
        **more,
    }


def body(required: tuple[str, ...], **members: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "required": list(required),
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def in_path(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]


def in_query(**members: dict[str, Any]) -> list[dict[str, Any]]:
    """Optional members of the query."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in members.items()
    ]
