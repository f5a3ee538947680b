"""The draw repeated from docs/supervision.md alone: no product code computes what is expected."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest

from backend.domain.draw_proof import verify_draw
from backend.domain.sampling import SamplingError

GENESIS = "11" * 32
AGENCY, NUMBER, SEQUENCE = "A330800", 9, 4
PREVIOUS_HEAD = hashlib.sha256(b"the agency's batch 3").hexdigest()
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


def described_digest(announcement: dict[str, Any]) -> bytes:
    canonical = json.dumps(
        announcement, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    return sha(canonical)


def described_root(digest: bytes) -> bytes:
    """The hash of the one leaf: format 1, agency's code, kind 4, no key, no amount."""
    code = AGENCY.encode().ljust(16, b"\0")
    leaf = b"\x01" + code + b"\x04" + bytes(2 + 32 + 32) + digest + bytes(8 + 8)
    assert len(leaf) == 132
    return sha(b"\0" + leaf)


def described_head(root: bytes) -> bytes:
    numbers = NUMBER.to_bytes(2, "big") + SEQUENCE.to_bytes(4, "big")
    size = (1).to_bytes(2, "big")
    return sha(b"yichu-batch/1\0" + numbers + bytes.fromhex(PREVIOUS_HEAD) + root + size)


def described_anchor(announcement: dict[str, Any], block_number: int) -> dict[str, Any]:
    return {
        "institution_code": AGENCY,
        "institution_number": NUMBER,
        "sequence": SEQUENCE,
        "previous_head": PREVIOUS_HEAD,
        "root": described_root(described_digest(announcement)).hex(),
        "size": 1,
        "leaf_index": 0,
        "proof": [],
        "contract": "cc" * 20,
        "tx_hash": "dd" * 32,
        "block_number": block_number,
        "block_hash": "ee" * 32,
    }


def described_draw_of(
    announcement: dict[str, Any],
    population: list[bytes],
    block_hash: str,
    anchored_in: int | None = None,
) -> dict[str, Any]:
    """A file as the document describes it, made by the document's words. The announcement is on
    the ledger in the block after the one that was final, unless another is named."""
    digest = described_digest(announcement)
    named, known = announcement["block_number"], announcement["final_number"]
    anchored_in = known + 1 if anchored_in is None else anchored_in
    block_number = named if anchored_in < named else anchored_in + named - known
    seed = sha(digest + bytes.fromhex(block_hash))
    ranked = sorted((sha(seed + one), one) for one in population)
    size = math.ceil(len(population) * announcement["share_bp"] / 10_000)
    return {
        "format": "yichu-draw-1",
        "announcement": announcement,
        "announcement_digest": digest.hex(),
        "population": [one.hex() for one in population],
        "anchor": described_anchor(announcement, anchored_in),
        "draw": {
            "block_number": block_number,
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
    proved = verify_draw(json.loads(json.dumps(record)))
    assert proved.announcement.digest.hex() == record["announcement_digest"]
    assert (proved.block_number, proved.block_hash.hex()) == (120, BLOCK_HASH)
    root = described_root(described_digest(record["announcement"]))
    assert proved.anchor.head == described_head(root)


@pytest.mark.parametrize(
    ("anchored_in", "seed_block"),
    [(101, 120), (119, 120), (120, 140), (121, 141), (5_000, 5_020)],
)
def test_the_block_of_the_seed_always_comes_after_the_anchor(
    anchored_in: int, seed_block: int
) -> None:
    population = [sha(b"decision %d" % number) for number in range(30)]
    announcement = described_announcement(population, 500)
    record = described_draw_of(announcement, population, BLOCK_HASH, anchored_in)
    assert record["draw"]["block_number"] == seed_block
    assert verify_draw(record).block_number == seed_block
    record["draw"]["block_number"] = 120 if seed_block != 120 else 121
    with pytest.raises(SamplingError, match="another block than the rule"):
        verify_draw(record)


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


def without_an_anchor(record: dict[str, Any]) -> None:
    del record["anchor"]


def with_an_anchor_of_another_announcement(record: dict[str, Any]) -> None:
    other_one = record["announcement"] | {"share_bp": 400}
    record["anchor"] = described_anchor(other_one, 101)


def with_an_anchor_as_a_bill(record: dict[str, Any]) -> None:
    record["anchor"]["institution_code"] = "A330801"


def with_a_larger_batch(record: dict[str, Any]) -> None:
    record["anchor"]["size"] = 2


def with_an_empty_batch(record: dict[str, Any]) -> None:
    record["anchor"].update(size=0)


def with_a_batch_number_out_of_range(record: dict[str, Any]) -> None:
    record["anchor"]["institution_number"] = 2**16


def with_an_anchor_before_the_announcement(record: dict[str, Any]) -> None:
    record["anchor"]["block_number"] = 100


def with_an_anchor_in_the_named_block(record: dict[str, Any]) -> None:
    record["anchor"]["block_number"] = 120


def with_a_member_of_the_anchor_more(record: dict[str, Any]) -> None:
    record["anchor"]["note"] = "x"


def with_a_short_hash_in_the_anchor(record: dict[str, Any]) -> None:
    record["anchor"]["tx_hash"] = "dd" * 31


def with_a_text_for_a_number_in_the_anchor(record: dict[str, Any]) -> None:
    record["anchor"]["sequence"] = "4"


def not_drawn(record: dict[str, Any]) -> None:
    del record["draw"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without_a_decision, "not the announced one"),
        (with_another_decision, "not the announced one"),
        (with_a_decision_twice, "there twice"),
        (with_another_share, "announcement_digest is not"),
        (with_another_block, "another block than the rule"),
        (without_an_anchor, "does not show that the announcement was on the ledger"),
        (with_an_anchor_of_another_announcement, "not in the batch"),
        (with_an_anchor_as_a_bill, "not in the batch"),
        (with_a_larger_batch, "not in the batch"),
        (with_an_empty_batch, "not in the batch"),
        (with_a_batch_number_out_of_range, "anchor's batch"),
        (with_an_anchor_before_the_announcement, "final before the announcement"),
        (with_an_anchor_in_the_named_block, "another block than the rule"),
        (with_a_member_of_the_anchor_more, "anchor has other members"),
        (with_a_short_hash_in_the_anchor, "anchor member tx_hash"),
        (with_a_text_for_a_number_in_the_anchor, "anchor member sequence"),
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
