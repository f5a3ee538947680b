"""The draw repeated from docs/supervision.md alone: no product code computes what is expected."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest

from backend.domain.sampling import SamplingError, verify_draw

GENESIS = "11" * 32
BLOCK_HASH = hashlib.sha256(b"a block").hexdigest()


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def described_announcement(population: list[bytes], share_bp: int) -> dict[str, Any]:
    nobody = hashlib.sha256(b"").hexdigest()
    return {
        "format": "yichu-draw-announcement-1",
        "method": "yichu-draw-1",
        "sequence": 1,
        "previous": "00" * 32,
        "payer_number": 1,
        "chain_id": 1337,
        "genesis_hash": GENESIS,
        "period_from": "2026-11-01T00:00:00+00:00",
        "period_until": "2026-11-08T00:00:00+00:00",
        "announced_at": "2026-11-08T00:00:01+00:00",
        "population_size": len(population),
        "population_digest": sha(b"".join(sorted(population))).hex(),
        "share_bp": share_bp,
        "final_number": 100,
        "final_hash": "22" * 32,
        "block_number": 120,
        "value_fen": 2_000_000,
        "value_count": 0,
        "value_digest": nobody,
        "variance_percent": 150,
        "variance_count": 0,
        "variance_digest": nobody,
    }


def described_draw_of(
    announcement: dict[str, Any], population: list[bytes], block_hash: str
) -> dict[str, Any]:
    """A file as the document describes it, made by the document's words."""
    canonical = json.dumps(
        announcement, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    digest = sha(canonical)
    seed = sha(digest + bytes.fromhex(block_hash))
    ranked = sorted((sha(seed + one), one) for one in population)
    size = math.ceil(len(population) * announcement["share_bp"] / 10_000)
    return {
        "format": "yichu-draw-1",
        "announcement": announcement,
        "announcement_digest": digest.hex(),
        "population": [one.hex() for one in population],
        "draw": {
            "block_number": announcement["block_number"],
            "block_hash": block_hash,
            "seed": seed.hex(),
            "drawn_at": "2026-11-08T01:00:00+00:00",
            "members": [one.hex() for _, one in ranked[:size]],
        },
    }


def described_draw(count: int = 200, share_bp: int = 500) -> dict[str, Any]:
    population = [sha(b"decision %d" % number) for number in range(count)]
    announcement = described_announcement(population, share_bp)
    return described_draw_of(announcement, population, BLOCK_HASH)


@pytest.mark.parametrize(
    ("count", "share_bp", "drawn"),
    [(200, 500, 10), (201, 500, 11), (1, 500, 1), (1, 0, 0), (7, 10_000, 7), (19, 1, 1)],
)
def test_a_draw_made_by_the_description_is_verified(count: int, share_bp: int, drawn: int) -> None:
    record = described_draw(count, share_bp)
    assert len(record["draw"]["members"]) == drawn
    announcement, block_hash = verify_draw(json.loads(json.dumps(record)))
    assert announcement.digest.hex() == record["announcement_digest"]
    assert block_hash.hex() == BLOCK_HASH


def other(text: str) -> str:
    """The same hash with one digit changed."""
    return ("1" if text[0] == "0" else "0") + text[1:]


def without_a_decision(record: dict[str, Any]) -> None:
    record["population"].pop()


def with_another_decision(record: dict[str, Any]) -> None:
    record["population"][3] = other(record["population"][3])


def with_a_decision_twice(record: dict[str, Any]) -> None:
    record["population"][3] = record["population"][4]


def with_another_share(record: dict[str, Any]) -> None:
    record["announcement"]["share_bp"] = 400


def with_another_block(record: dict[str, Any]) -> None:
    record["draw"]["block_number"] = 121


def with_another_hash(record: dict[str, Any]) -> None:
    record["draw"]["block_hash"] = other(record["draw"]["block_hash"])


def with_another_seed(record: dict[str, Any]) -> None:
    record["draw"]["seed"] = other(record["draw"]["seed"])


def with_a_member_spared(record: dict[str, Any]) -> None:
    record["draw"]["members"].pop()


def with_a_member_exchanged(record: dict[str, Any]) -> None:
    drawn = set(record["draw"]["members"])
    record["draw"]["members"][0] = next(one for one in record["population"] if one not in drawn)


def with_members_in_another_order(record: dict[str, Any]) -> None:
    record["draw"]["members"].reverse()


def with_a_block_that_existed(record: dict[str, Any]) -> None:
    record["announcement"]["final_number"] = 120


def with_a_wrong_digest(record: dict[str, Any]) -> None:
    record["announcement_digest"] = other(record["announcement_digest"])


def with_another_method(record: dict[str, Any]) -> None:
    record["announcement"]["method"] = "shuffle"


def with_one_member_more(record: dict[str, Any]) -> None:
    record["announcement"]["comment"] = "x"


def with_a_truth_value_for_a_number(record: dict[str, Any]) -> None:
    record["announcement"]["sequence"] = True


def with_capital_digits(record: dict[str, Any]) -> None:
    record["draw"]["block_hash"] = record["draw"]["block_hash"].upper()


def not_drawn(record: dict[str, Any]) -> None:
    del record["draw"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without_a_decision, "not the announced one"),
        (with_another_decision, "not the announced one"),
        (with_a_decision_twice, "there twice"),
        (with_another_share, "announcement_digest is not"),
        (with_another_block, "another block than the one named"),
        (with_another_hash, "seed does not follow"),
        (with_another_seed, "seed does not follow"),
        (with_a_member_spared, "members are not"),
        (with_a_member_exchanged, "members are not"),
        (with_members_in_another_order, "members are not"),
        (with_a_block_that_existed, "not named before it existed"),
        (with_a_wrong_digest, "announcement_digest is not"),
        (with_another_method, "unknown format or method"),
        (with_one_member_more, "other members than its format"),
        (with_a_truth_value_for_a_number, "sequence has a wrong value"),
        (with_capital_digits, "lower-case hex"),
        (not_drawn, "nothing was drawn yet"),
    ],
)
def test_a_file_that_was_changed_is_refused(change: Any, why: str) -> None:
    record = described_draw()
    change(record)
    with pytest.raises(SamplingError, match=why):
        verify_draw(record)


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"format": "yichu-draw-1"}])
def test_what_is_no_draw_is_refused(value: Any) -> None:
    with pytest.raises(SamplingError):
        verify_draw(value)
