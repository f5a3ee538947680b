"""Pages of bills from outside: hand in, follow, add a cost list, withdraw."""

from __future__ import annotations

import secrets
from typing import Any

from flask import g, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.adapters.outside_documents import FILE_BYTES_MAX
from backend.domain.errors import DomainError
from backend.entrypoints import problems
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile import outside_texts
from backend.entrypoints.mobile.language import said, say, sentence
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import PHONE, blueprint
from backend.service_layer.intake.faults import InvalidInvoiceError
from backend.service_layer.outside.errors import UnusableFileError
from backend.service_layer.outside.records import FileRole, HandedIn
from backend.service_layer.outside.upload import (
    FILES_A_BILL,
    add_list,
    hand_in,
    withdraw_bill,
)
from backend.service_layer.outside.view import bill_of_person, bills_of_person

FAULTS_SHOWN = 5

problems.register("unusable-file", 422, "文件没有收下", "a file was not taken")
problems.register("outside-limit", 429, "今天交的文件已到上限", "the day's limit is reached")
problems.register(
    "outside-not-claimable", 422, "票据不能报销", "the document says it is not claimable"
)
problems.register("outside-duplicate", 409, "票据已经交过", "the bill is here already")
problems.register("outside-step-refused", 409, "现在不能办这一步", "this step is not possible now")
problems.register("outside-transcript", 422, "录入的内容有错", "what was typed is not right")
problems.register("outside-not-confirmed", 409, "须先由参保地确认", "it has to be confirmed first")
problems.register("outside-file-missing", 404, "文件不在了或已被改动", "a file is gone or altered")
problems.register("agency-missing", 503, "经办机构还不是签发方", "the agency is no issuer yet")


@blueprint.get("/outside")
@access(AccessRule.CITIZEN)
def outside() -> str:
    return _page()


def _page(error: str = "", faults: list[str] | None = None) -> str:
    deps = services()
    views = bills_of_person(deps, g.person_id)
    return render_template(
        "m/outside.html",
        views=views,
        outside_status=outside_texts.status_of,
        error=error,
        faults=faults or [],
        form_token=secrets.token_urlsafe(32),
        file_megabytes=min(deps.settings.max_body_bytes, FILE_BYTES_MAX) // 2**20,
        files_max=FILES_A_BILL,
    )


@blueprint.post("/outside")
@access(AccessRule.CITIZEN)
def hand_in_now() -> tuple[str, int] | WerkzeugResponse:
    try:
        bill = hand_in(
            services(),
            g.person_id,
            _files(),
            request.form.get("form_token", ""),
            has_consent=request.form.get("consent") == "yes",
        )
    except DomainError as error:
        faults = _faults_of(error)
        wrong = say(
            "没有收下这个文件，什么也没有保存。文件里的内容有错：",
            "This file was not taken and nothing was stored. What it holds is wrong:",
        )
        return _page(wrong if faults else said(error), faults), problems.status_of(error)
    return redirect(url_for("m.outside_bill", bill_id=bill.id), 303)


def _files() -> list[HandedIn]:
    """The chosen files; names and stated types are the sender's and are not looked at."""
    chosen = [(FileRole.BILL, file) for file in request.files.getlist("bill")]
    chosen += [(FileRole.LIST, file) for file in request.files.getlist("list")]
    chosen = [(role, file) for role, file in chosen if file.filename]
    if len(chosen) > FILES_A_BILL:
        raise UnusableFileError("too-many-files")
    return [HandedIn(role, _content(file)) for role, file in chosen]


def _content(file: FileStorage) -> bytes:
    return file.stream.read(FILE_BYTES_MAX + 1)


def _faults_of(error: DomainError) -> list[str]:
    if not isinstance(error, InvalidInvoiceError):
        return []
    return [sentence(fault.zh, fault.en) for fault in error.faults[:FAULTS_SHOWN]]


@blueprint.get("/outside/<bill_id>")
@access(AccessRule.CITIZEN)
def outside_bill(bill_id: str) -> str:
    return _bill_page(bill_id, "")


def _bill_page(bill_id: str, error: str) -> str:
    view = bill_of_person(services(), g.person_id, bill_id)
    return render_template(
        "m/outside_bill.html",
        view=view,
        status=outside_texts.status_of(view),
        advice=outside_texts.next_of(view, PHONE),
        steps_shown=outside_texts.steps_of(view),
        error=error,
    )


@blueprint.post("/outside/<bill_id>/list")
@access(AccessRule.CITIZEN)
def add_cost_list(bill_id: str) -> tuple[str, int] | WerkzeugResponse:
    pages = [_content(file) for file in request.files.getlist("list") if file.filename]
    return _then_show(bill_id, lambda: add_list(services(), g.person_id, bill_id, pages))


@blueprint.post("/outside/<bill_id>/withdraw")
@access(AccessRule.CITIZEN)
def withdraw_outside(bill_id: str) -> tuple[str, int] | WerkzeugResponse:
    return _then_show(bill_id, lambda: withdraw_bill(services(), g.person_id, bill_id))


def _then_show(bill_id: str, act: Any) -> tuple[str, int] | WerkzeugResponse:
    bill_of_person(services(), g.person_id, bill_id)  # somebody else's is not found
    try:
        act()
    except DomainError as error:
        return _bill_page(bill_id, said(error)), problems.status_of(error)
    return redirect(url_for("m.outside_bill", bill_id=bill_id), 303)
