"""The staff API's routes of payee accounts that wait for their proof: no bank can be asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from flask import jsonify, request

from backend.domain.errors import NotFoundError
from backend.domain.review import covers
from backend.entrypoints.access import AccessRule
from backend.entrypoints.staff.agency_desk import agency, do_once, reason_of
from backend.entrypoints.staff.requests import (
    MalformedStaffRequestError,
    query_number,
    read_object,
    text_of,
)
from backend.entrypoints.staff.session import caller, services
from backend.entrypoints.staff.views import Answer, blueprint
from backend.service_layer.payees.proof import (
    PROPOSED,
    Seen,
    confirm_proof,
    propose_proof,
    refuse_proof,
)
from backend.service_layer.payees.records import AccountRow, Proof

_PAGE: Final = 50
_PAGE_MAX: Final = 200
_LISTED_MAX: Final = 2_000
_HERE: Final = "/staff/v1/payee-proofs"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@blueprint.get("/payee-proofs")
@agency(AccessRule.CLERK)
def unproven_accounts() -> Answer:
    """One page of the accounts that wait for their proof, the oldest first."""
    after, limit = request.args.get("after", ""), query_number("limit", _PAGE, _PAGE_MAX)
    with services().work(write=False) as work:
        rows = work.payees.unproven(_LISTED_MAX)
        place = work.payees.account(after[:60]) if after else None
        if after and place is None:
            raise MalformedStaffRequestError(
                "after 应为上一页的 next", "after is the next of a page"
            )
        if place is not None:
            since = (place.declared_at, place.id)
            rows = [row for row in rows if (row.declared_at, row.id) > since]
        shown = [_shown(work, row) for row in rows[:limit]]
    following = rows[limit - 1].id if len(rows) > limit else None
    return jsonify({"accounts": shown, "next": following})


@blueprint.get("/payee-proofs/<account_id>")
@agency(AccessRule.CLERK)
def unproven_account(account_id: str) -> Answer:
    """One account with the steps of its proof; what the caller may do stands in ``links``."""
    return _answer(account_id)


@blueprint.post("/payee-proofs/<account_id>/verify")
@agency(AccessRule.CLERK)
def verify_proof(account_id: str) -> Answer:
    """One person has compared the proof with the identity document; ``document``: its SHA-256."""
    return _act(propose_proof, "proof-verify", account_id)


@blueprint.post("/payee-proofs/<account_id>/confirm")
@agency(AccessRule.SUPERVISOR)
def confirm_proof_seen(account_id: str) -> Answer:
    """Another person has seen the same copy: the account may be paid to."""
    return _act(confirm_proof, "proof-confirm", account_id)


@blueprint.post("/payee-proofs/<account_id>/refuse")
@agency(AccessRule.CLERK)
def refuse_proof_seen(account_id: str) -> Answer:
    """The proof does not show whose the account is: it is never paid to."""
    return _act(refuse_proof, "proof-refuse", account_id)


def _act(step: Callable[[Any, str, int, Seen], object], name: str, account_id: str) -> Answer:
    body = read_object("document", "reason")
    document, reason = text_of(body, "document"), reason_of(body)
    if _DIGEST.fullmatch(document) is None:
        raise MalformedStaffRequestError(
            "document 应为材料的 SHA-256（64 个小写十六进制字符）",
            "document is the SHA-256 of the copy, in 64 lower-case hexadecimal characters",
        )
    row = _account(account_id)

    def act(deps: Any, by: str) -> None:
        seen = Seen(by, reason, bytes.fromhex(document))
        step(deps, row.person_id, row.version, seen)

    do_once(act, name, account_id, document, reason)
    return _answer(account_id)


def _account(account_id: str) -> AccountRow:
    with services().work(write=False) as work:
        row: AccountRow | None = work.payees.account(account_id)
    if row is None:
        raise NotFoundError("没有这个账户", "there is no such account")
    return row


def _answer(account_id: str) -> Answer:
    row = _account(account_id)
    with services().work(write=False) as work:
        return jsonify(_shown(work, row))


def _shown(work: Any, row: AccountRow) -> dict[str, Any]:
    steps = work.payees.proofs_of(row.id)
    return {
        "id": row.id,
        "person": work.people.get(row.person_id).name,
        "version": row.version,
        "bank": row.bank_name,
        "account_tail": row.tail,
        "holder": row.holder,
        "declared_at": row.declared_at.isoformat(),
        "steps": [_step(one) for one in steps],
        "links": _links(row, steps),
    }


def _links(row: AccountRow, steps: list[Proof]) -> dict[str, Any]:
    me, can = caller(), {"verify", "refuse"}
    if any(one.action != PROPOSED for one in steps):
        can = set()
    elif steps and steps[-1].by != me.username and covers(me.role, "supervisor"):
        can.add("confirm")
    return {name: {"method": "POST", "href": f"{_HERE}/{row.id}/{name}"} for name in sorted(can)}


def _step(one: Proof) -> dict[str, Any]:
    return {
        "action": one.action,
        "by": one.by,
        "at": one.at.isoformat(),
        "reason": one.reason,
        "document": one.document_digest.hex(),
    }
