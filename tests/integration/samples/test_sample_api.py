"""Samples over the staff API: announced once a key, drawn when final, verified by anybody."""

from __future__ import annotations

import pytest

from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session
from tests.integration.samples.post import Post
from tests.integration.supervision.desks import Desks, code_of

KEY = "sample-key-01"


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=50, seconds=60))
    monkeypatch.setattr(session, "_REQUESTS", RateLimit(count=900, seconds=60))


@pytest.mark.slow
def test_a_supervisor_announces_draws_and_hands_out_what_verifies(post: Post) -> None:
    desks = Desks.open(post.world)
    post.approved(400, 500)
    made, again = (desks.post("supervisor01", "/samples", {}, KEY) for _ in range(2))
    assert (made.status_code, again.get_json()) == (201, made.get_json())
    assert made.get_json()["population_size"] == 2
    post.anchor_announcements()
    early = desks.post("supervisor01", "/samples/1/draw")
    assert code_of(early) == (409, "block-not-final")
    post.ledger.block = made.get_json()["block_number"]
    drawn, same = (desks.post("supervisor02", "/samples/1/draw") for _ in range(2))
    assert drawn.get_json()["cases_opened"] == 1
    assert same.get_json()["seed"] == drawn.get_json()["seed"]
    members = desks.get("supervisor01", "/samples/1").get_json()["members"]
    assert [member["outcome"] for member in members] == [None]
    file = desks.get("supervisor01", "/samples/1/announcement").get_json()
    assert file["announcement_digest"] == made.get_json()["announcement_digest"]
    assert file["draw"]["seed"] == drawn.get_json()["seed"]
    public = desks.desks["clerk01"].client.get("/v/draws/1", base_url="https://localhost")
    assert public.get_json() == file  # what anybody gets, and `yichu sample verify` takes
    shown = desks.get("supervisor01", "/samples").get_json()
    assert [row["is_drawn"] for row in shown["samples"]] == [1]


def test_nothing_to_sample_no_key_and_an_unknown_sample(post: Post) -> None:
    desks = Desks.open(post.world)
    assert desks.post("supervisor01", "/samples", {}, KEY).status_code == 204
    assert code_of(desks.post("supervisor01", "/samples")) == (400, "malformed-staff-request")
    assert code_of(desks.post("supervisor01", "/samples", {"until": "x"}, KEY))[0] == 400
    for path in ("/samples/1", "/samples/99999999999999999999", "/samples/1/announcement"):
        assert desks.get("supervisor01", path).status_code == 404, path
    assert code_of(desks.post("supervisor01", "/samples/1/draw")) == (404, "not-found")
    for name in ("inspector01", "reviewer01", "clerk01"):
        assert code_of(desks.post(name, "/samples", {}, KEY)) == (403, "forbidden")
