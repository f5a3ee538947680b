"""Two people announce or draw at the same moment, on PostgreSQL: one of each is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from backend.adapters.database import tables
from backend.domain.draw_proof import verify_draw
from backend.service_layer.supervision.sampling import announce, draw, published
from backend.service_layer.supervision.sampling_audit import open_cases
from backend.service_layer.supervision.sampling_records import DrawnAlreadyError
from tests.integration.samples.post import Post

pytestmark = pytest.mark.slow
THREADS = 4


def at_once(act: Callable[[], object]) -> list[object]:
    """The results of an act begun by several at once; a refusal is its result."""
    barrier = threading.Barrier(THREADS)
    results: list[object] = [None] * THREADS

    def run(place: int) -> None:
        barrier.wait()
        try:
            results[place] = act()
        except DrawnAlreadyError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_one_announcement_one_draw_and_one_case_a_member(postgresql_post: Post) -> None:
    post = postgresql_post
    post.limits(share_bp=10_000)
    post.approved(100, 200)
    at_once(lambda: announce(post.services, by="周审"))
    assert post.rows(tables.sample_announcement) == 1
    assert post.rows(tables.sample_population) == 2
    post.anchor_announcements()
    post.ledger.block += 20
    drawn = at_once(lambda: draw(post.services, 1))
    assert sum(isinstance(one, DrawnAlreadyError) for one in drawn) == THREADS - 1
    assert post.rows(tables.sample_draw) == 1
    at_once(lambda: open_cases(post.services))
    assert post.rows(tables.sample_audit) == 2
    assert post.rows(tables.review_case) == 2
    verify_draw(published(post.services, 1))
