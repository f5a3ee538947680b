"""The part of the staff API's description about reopenings, accidents, leads, points, samples and
rules."""

from __future__ import annotations

from typing import Any, Final

from backend.domain.accident import EXCLUSIONS, EXCUSES
from backend.domain.audit.rule import RuleState
from backend.domain.points import Responsibility
from backend.domain.revision import REOPEN_REASONS
from backend.domain.supervision import FindingOutcome, ReviewOutcome
from backend.entrypoints.staff.openapi_parts import (
    KEY,
    TEXT,
    WHOLE,
    body,
    in_path,
    in_query,
    operation,
)

_V1: Final = "/staff/v1"
_REASON: Final = body(("reason",), reason=TEXT)
_DAY: Final = {"type": "string", "format": "date"}
_YEAR: Final = {"type": "integer", "minimum": 2000, "maximum": 2100}
_KIND: Final = body(
    ("kind", "reason"), kind={"type": "string", "enum": ["ordinary", "accident"]}, reason=TEXT
)


def _choice(names: Any) -> dict[str, Any]:
    return {"type": "string", "enum": [str(name) for name in names]}


def more_case_paths() -> dict[str, Any]:
    """Accident claims and reopenings."""
    case, claim = f"{_V1}/cases/{{case_id}}", f"{_V1}/claims/{{number}}"
    case_id, number = {"parameters": in_path("case_id")}, {"parameters": in_path("number")}
    exclusion = body(
        ("code", "reason"), code=_choice(EXCLUSIONS), reason=TEXT,
        lines={"type": "array", "maxItems": 5_000, "items": WHOLE},
    )  # fmt: skip
    declared = ("happened_on", "place", "manner", "story", "third_party", "at_work", "traffic",
                "signed")  # fmt: skip
    declaration = body(declared, other_party=TEXT, **dict.fromkeys(declared, TEXT))
    listed = in_query(queue=TEXT, after=WHOLE, limit=WHOLE)
    return {
        f"{_V1}/cases/open": {
            "get": operation(
                "openCases", "待办案件", "All open cases (supervisors)", 200, parameters=listed
            )
        },
        f"{_V1}/me/away": {
            "post": operation("away", "休假", "Away, or back", 200, **body((), back_on=_DAY))
        },
        f"{case}/kind": {
            "post": operation("caseKind", "改申请类型", "Accident or not", 200, **_KIND)
        } | case_id,
        f"{case}/exclude": {
            "post": operation(
                "exclude", "按理由不予支付", "Refuse, or exclude lines, by a code", 200, **exclusion
            )
        } | case_id,
        f"{case}/declaration-requests": {
            "post": operation(
                "askToDeclare", "要求说明和承诺书", "Ask for the undertaking", 201, **_REASON
            )
        } | case_id,
        f"{claim}/kind": {
            "post": operation("claimKind", "改申请类型", "Accident or not", 200, **_KIND)
        } | number,
        f"{claim}/excuses": {
            "post": operation(
                "excuse", "代记逾期理由", "Why it was late, said at the window", 201,
                **body(("code",), code=_choice(EXCUSES), text=TEXT),
            )
        } | number,
        f"{claim}/accident": {
            "get": operation("accident", "意外伤害说明", "Every declaration", 200)
        } | number,
        f"{claim}/accident/declarations": {
            "post": operation(
                "declare", "代为说明", "Declare at the window, signed on paper", 201, **declaration
            )
        } | number,
        **_reopen_paths(claim, number),
    }  # fmt: skip


def _reopen_paths(claim: str, number: dict[str, Any]) -> dict[str, Any]:
    one = f"{_V1}/reopen-proposals/{{proposal_id}}"
    proposal_id = {"parameters": in_path("proposal_id")}
    proposal = body(
        ("code", "text", "source"), code=_choice(REOPEN_REASONS), text=TEXT, source=TEXT
    )
    return {
        f"{claim}/reopen-proposals": {
            "get": operation("claimReopenings", "重开提案", "Proposals of a claim", 200),
            "post": operation(
                "proposeReopening", "提出重开", "Propose; no effect yet", 201, **proposal
            ),
        } | number,
        f"{_V1}/reopen-proposals": {
            "get": operation("openReopenings", "待确认的重开", "What waits for a second", 200)
        },
        f"{one}/confirm": {
            "post": operation(
                "confirmReopening", "确认重开（另一人）", "Confirm, by another person", 200,
                **_REASON,
            )
        } | proposal_id,
        f"{one}/withdraw": {
            "post": operation(
                "withdrawReopening", "撤回提案", "Close without effect", 200, **_REASON
            )
        } | proposal_id,
    }  # fmt: skip


def supervision_paths() -> dict[str, Any]:
    """Leads, points, samples and rules."""
    return {**_lead_paths(), **_step_paths(), **_point_paths(), **_sample_paths(), **_rule_paths()}


def _lead_paths() -> dict[str, Any]:
    one = f"{_V1}/leads/{{lead_id}}"
    lead_id = {"parameters": in_path("lead_id")}
    page = in_query(
        after=TEXT, limit={"type": "integer", "minimum": 1, "maximum": 200},
        closed={"type": "string", "enum": ["1"]},
    )  # fmt: skip
    opening = body(
        ("source", "reason"), source=_choice(("audit-hit", "report")), reason=TEXT,
        claim=TEXT, invoice=TEXT, institution=TEXT, reference=TEXT,
    )  # fmt: skip
    row = body(
        ("kind", "id", "description"),
        kind=_choice(("audit_hit", "decision", "invoice_version")), id=TEXT, description=TEXT,
    )  # fmt: skip
    file = {
        "parameters": [*in_path("lead_id"), *in_query(description=TEXT)],
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "contentMediaType": kind}}
                for kind in ("image/jpeg", "image/png", "application/pdf")
            },
        },
    }
    return {
        f"{_V1}/leads": {
            "get": operation("leads", "线索", "Leads, the newest first", 200, parameters=page),
            "post": operation("openLead", "登记线索", "Open a lead", 201, **opening),
        },
        f"{_V1}/leads/overdue": {
            "get": operation("leadsOverdue", "超期的线索", "Leads past their day", 200)
        },
        one: {"get": operation("lead", "一条线索", "One lead, actions as links", 200)} | lead_id,
        f"{one}/evidence": {
            "post": operation("addRow", "以存储的行为证", "A stored row as evidence", 201, **row)
        } | lead_id,
        f"{one}/evidence/files": {
            "post": operation("addFile", "以文件为证", "A file as evidence", 201, **file)
        },
        f"{one}/files/{{digest}}": {
            "get": operation("leadFile", "文件", "A file, as a download", 200),
            "parameters": in_path("lead_id", "digest"),
        },
        f"{_V1}/findings": {
            "get": operation("findings", "生效的认定", "Final findings, to hand on", 200)
        },
    }  # fmt: skip


def _step_paths() -> dict[str, Any]:
    one = f"{_V1}/leads/{{lead_id}}"
    lead_id = {"parameters": in_path("lead_id")}
    plain = (
        ("dismiss", "不查", "Close before anybody is asked"),
        ("ask", "问询", "Ask the provider"),
        ("answer", "代记答复", "Take down the provider's answer"),
        ("appeal", "代记申诉", "Take down the provider's appeal"),
        ("expert-ask", "请专家", "Ask experts; the review's clock stands still"),
        ("expert-answer", "专家意见", "The experts' opinion"),
        ("order", "责令追回", "Order recovery of a final finding"),
        ("refer", "移送", "Refer a final finding"),
        ("set-aside", "认定被撤销", "A final finding was set aside"),
    )
    judged = (
        ("find", "认定", "Make the finding", FindingOutcome),
        ("review", "复核", "Decide the appeal", ReviewOutcome),
    )
    found: dict[str, Any] = {
        f"{one}/{step}": {"post": operation(f"lead-{step}", zh, en, 200, **_REASON)} | lead_id
        for step, zh, en in plain
    }
    for step, zh, en, outcomes in judged:
        content = body(
            ("outcome", "reason"), outcome=_choice(outcomes), amount_fen=WHOLE, reason=TEXT
        )
        found[f"{one}/{step}"] = {"post": operation(f"lead-{step}", zh, en, 200, **content)}
        found[f"{one}/{step}"] |= lead_id
    return found


def _point_paths() -> dict[str, Any]:
    points = {"type": "integer", "minimum": 1, "maximum": 12}
    booking = body(
        ("person", "act", "band", "responsibility", "points", "reason"),
        person=TEXT, act=TEXT, band=TEXT, responsibility=_choice(Responsibility), points=points,
        reason=TEXT,
    )  # fmt: skip
    repair = body(("points", "reason"), points=points, reason=TEXT)
    return {
        f"{_V1}/leads/{{lead_id}}/points": {
            "post": operation("bookPoints", "记分", "Book points of a finding", 201, **booking),
            "parameters": in_path("lead_id"),
        },
        f"{_V1}/points": {
            "get": operation(
                "points", "一年的记分", "A year's bookings", 200, parameters=in_query(year=_YEAR)
            )
        },
        f"{_V1}/points/scale": {
            "get": operation("pointScale", "记分标准", "The scale that is valid today", 200)
        },
        f"{_V1}/points/people/{{person}}": {
            "get": operation(
                "standing", "一人的记分", "A person's points and what they propose", 200,
                parameters=in_query(year=_YEAR),
            ),
            "parameters": in_path("person"),
        },
        f"{_V1}/points/bookings/{{booking_id}}/repair": {
            "post": operation(
                "repairPoints", "修复减分", "Take points off, by another person", 201,
                parameters=KEY, **repair,
            ),
            "parameters": in_path("booking_id"),
        },
    }  # fmt: skip


def _sample_paths() -> dict[str, Any]:
    one = f"{_V1}/samples/{{sequence}}"
    sequence = {
        "parameters": [
            {"name": "sequence", "in": "path", "required": True, "schema": {"type": "integer"}}
        ]
    }
    return {
        f"{_V1}/samples": {
            "get": operation("samples", "抽查", "Announcements and outcomes", 200),
            "post": operation(
                "announce", "公告抽查", "Close the population, name a block", 201, 204,
                parameters=KEY,
            ),
        },
        one: {
            "get": operation("sample", "一期抽查", "Members with their cases", 200)
        } | sequence,
        f"{one}/announcement": {
            "get": operation("announcement", "公告文件", "What anybody verifies", 200)
        } | sequence,
        f"{one}/draw": {
            "post": operation("draw", "抽取", "Draw once the block is final", 200)
        } | sequence,
    }  # fmt: skip


def _rule_paths() -> dict[str, Any]:
    rule, proposal = f"{_V1}/rules/{{code}}", f"{_V1}/rule-proposals/{{proposal_id}}"
    code, proposal_id = {"parameters": in_path("code")}, {"parameters": in_path("proposal_id")}
    change = body(
        ("reason",), state=_choice(RuleState), parameters={"type": "object"}, valid_from=_DAY,
        reason=TEXT,
    )  # fmt: skip
    trial = body((), proposal=TEXT, limit=WHOLE, **{"from": _DAY, "to": _DAY})
    return {
        f"{_V1}/rules": {"get": operation("rules", "审核规则", "Rules with figures", 200)},
        rule: {
            "get": operation("rule", "一条规则", "Versions, proposals, trials, hits", 200)
        } | code,
        f"{rule}/trials": {
            "post": operation("trial", "试运行", "Over past bills, no effect", 201, **trial)
        } | code,
        f"{rule}/proposals": {
            "post": operation("proposeRule", "提出启停", "Propose a switch", 201, **change)
        } | code,
        f"{proposal}/confirm": {
            "post": operation(
                "confirmRule", "确认启停（另一人）", "Confirm, by another person", 200, **_REASON
            )
        } | proposal_id,
        f"{proposal}/withdraw": {
            "post": operation("withdrawRule", "撤回", "Close without effect", 200, **_REASON)
        } | proposal_id,
    }  # fmt: skip
