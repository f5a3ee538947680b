"""The page on which the citizen answers a request for material (补正)."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from backend.domain.errors import ConflictError, NotFoundError
from backend.entrypoints.access import AccessRule, access
from backend.entrypoints.mobile.language import said
from backend.entrypoints.mobile.session import services
from backend.entrypoints.mobile.views import blueprint
from backend.service_layer.review import material
from backend.service_layer.review.material import FILE_BYTES_MAX, FILES_MAX, MaterialRefusedError


@blueprint.get("/claims/<claim_id>/material")
@access(AccessRule.CITIZEN)
def material_form(claim_id: str) -> str:
    return _page(claim_id, "")


def _page(claim_id: str, error: str) -> str:
    with services().work(write=False) as work:
        asked = material.open_request(work, g.person_id, claim_id)
        claim = work.claims.get(claim_id)
    if asked is None:
        raise NotFoundError(
            "现在没有要您补充的材料", "nothing is asked of you now; see the claim's page"
        )
    return render_template(
        "m/material.html",
        asked=asked,
        claim=claim,
        error=error,
        files_max=FILES_MAX,
        file_megabytes=FILE_BYTES_MAX // 2**20,
    )


@blueprint.post("/claims/<claim_id>/material")
@access(AccessRule.CITIZEN)
def answer_material(claim_id: str) -> tuple[str, int] | WerkzeugResponse:
    """Take the answer; sent twice it is one answer, and both lead to the claim's page."""
    files = [sent for sent in request.files.getlist("file")[: FILES_MAX + 1] if sent.filename]
    contents = [sent.stream.read(FILE_BYTES_MAX + 1) for sent in files]
    back = redirect(url_for("m.claim", claim_id=claim_id), 303)
    request_id = request.form.get("request", "")[:40]
    try:
        material.answer(services(), g.person_id, request_id, request.form.get("text", ""), contents)
    except MaterialRefusedError as error:
        return _page(claim_id, said(error)), 422
    except ConflictError:
        return back  # the claim's page says how it stands
    return back
