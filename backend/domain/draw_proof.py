"""The published file of a draw, checked again: the announcement's anchor, the block, the members.

The digest of the announcement is the fingerprint of an *information* leaf that the agency anchors
as an issuer (verifier/SPEC.md A6, A7). The block of that anchor is before the block of the seed, so
that nobody can have written the announcement when the seed was known. docs/supervision.md has the
rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from backend.domain.sampling import (
    METHOD,
    POPULATION_MAX,
    Announcement,
    SamplingError,
    draw_members,
    read_announcement,
    seed_of,
    verify_population,
)
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head
from verifier.errors import VerificationError

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_SIZES: Final = {"previous_head": 32, "root": 32, "contract": 20, "tx_hash": 32, "block_hash": 32}
_NUMBER_MAX: Final = 2**53 - 1
_PROOF_MAX: Final = 64
_ZERO: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class AnnouncementAnchor:
    """Where the announcement's leaf stands on the ledger, and the transaction that put it there.

    ``contract`` is the invoice ledger, 20 bytes; ``proof`` the audit path from the leaf upwards.
    """

    institution_code: str
    institution_number: int
    sequence: int
    previous_head: bytes
    root: bytes
    size: int
    leaf_index: int
    proof: tuple[bytes, ...]
    contract: bytes
    tx_hash: bytes
    block_number: int
    block_hash: bytes

    @property
    def head(self) -> bytes:
        """The head that the ledger holds of the batch. Raises SamplingError for bad numbers."""
        try:
            return batch_head(
                self.institution_number, self.sequence, self.previous_head, self.root, self.size
            )
        except VerificationError as error:
            raise _refused("公告上链的批次数据不对", f"the anchor's batch: {error}") from error

    def to_record(self) -> dict[str, Any]:
        """The members of ``anchor`` in the published file; byte strings as lower-case hex."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            found[field.name] = value.hex() if isinstance(value, bytes) else value
        found["proof"] = [node.hex() for node in self.proof]
        return found


@dataclass(frozen=True, slots=True)
class ProvedDraw:
    """A draw that follows from its file. What the file says of blocks is for a node to confirm."""

    announcement: Announcement
    anchor: AnnouncementAnchor
    block_number: int
    block_hash: bytes


def information_leaf(institution_code: str, digest: bytes) -> BatchLeaf:
    """The batch leaf that holds a digest: kind information, no key, no amount."""
    return BatchLeaf(institution_code, RecordKind.INFORMATION, 0, _ZERO, _ZERO, digest, 0, 0)


def seed_block(announcement: Announcement, anchored_in: int) -> int:
    """The number of the block that gives the seed.

    It is the named block when the announcement was on the ledger before it. Otherwise the same
    distance is counted from the anchor's block, so that it is always a block that nobody knew then.
    """
    if anchored_in < announcement.block_number:
        return announcement.block_number
    return anchored_in + announcement.block_number - announcement.final_number


def verify_draw(record: Any) -> ProvedDraw:
    """Repeat a published draw from its file.

    Whether blocks and transaction are the ledger's is asked of a node by the caller. Raises
    :class:`SamplingError` naming the first difference.
    """
    if not isinstance(record, Mapping) or record.get("format") != METHOD:
        raise _refused("不是抽查文件", f"this is no file of format {METHOD}")
    announcement = read_announcement(record.get("announcement"))
    population = _hashes(record.get("population"), "population")
    verify_population(announcement, population)
    if record.get("announcement_digest") != announcement.digest.hex():
        raise _refused("公告摘要不符", "announcement_digest is not that of the announcement")
    drawn = record.get("draw")
    if not isinstance(drawn, Mapping):
        raise _refused("还没有抽取", "nothing was drawn yet: the file has no draw")
    anchor = read_anchor(record.get("anchor"))
    verify_anchor(anchor, announcement)
    number = seed_block(announcement, anchor.block_number)
    if drawn.get("block_number") != number:
        raise _refused(
            f"应当用区块 {number}", f"the draw uses another block than the rule: {number}"
        )
    (block_hash,) = _hashes([drawn.get("block_hash")], "block_hash")
    seed = seed_of(announcement.digest, block_hash)
    if drawn.get("seed") != seed.hex():
        raise _refused("种子不符", "the seed does not follow from announcement and block hash")
    members = draw_members(seed, population, announcement.share_bp)
    if _hashes(drawn.get("members"), "members") != members:
        raise _refused("抽中名单不符", "the members are not those that the rule gives")
    return ProvedDraw(announcement, anchor, number, block_hash)


def verify_anchor(anchor: AnnouncementAnchor, announcement: Announcement) -> None:
    """Raises :class:`SamplingError` unless the digest is a leaf of the batch, and the anchor is
    not older than the block that was known at the announcement."""
    try:
        leaf = information_leaf(anchor.institution_code, announcement.digest)
        merkle.verify_inclusion(
            leaf.hash(), anchor.leaf_index, anchor.size, anchor.proof, anchor.root
        )
    except VerificationError as error:
        raise _refused(
            "公告摘要不在所指的批次中", f"the announcement is not in the batch: {error}"
        ) from error
    assert anchor.head, "a batch that has no head is refused"
    if anchor.block_number <= announcement.final_number:
        raise _refused(
            "上链区块早于公告",
            "the anchor is in a block that was final before the announcement was made",
        )


def read_anchor(record: Any) -> AnnouncementAnchor:
    """The anchor from its record; raises :class:`SamplingError` naming the member."""
    names = {field.name: str(field.type) for field in fields(AnnouncementAnchor)}
    if record is None:
        raise _refused(
            "公告没有在抽取之前上链，抽取不能核实",
            "the file does not show that the announcement was on the ledger before the draw",
        )
    if not isinstance(record, Mapping) or set(record) != set(names):
        raise _refused("上链证明的字段不对", "anchor has other members than its format")
    values = {name: _value(name, kind, record[name]) for name, kind in names.items()}
    return AnnouncementAnchor(**values)


def _value(name: str, kind: str, value: Any) -> Any:
    if kind == "bytes" and isinstance(value, str) and len(value) == 2 * _SIZES[name]:
        if _HEX.fullmatch(value):
            return bytes.fromhex(value)
    elif kind == "int":
        if type(value) is int and 0 <= value <= _NUMBER_MAX:
            return value
    elif kind == "str":
        if isinstance(value, str) and 0 < len(value) <= 16:
            return value
    elif name == "proof" and isinstance(value, list) and len(value) <= _PROOF_MAX:
        return tuple(_hashes(value, name))
    raise _refused(f"上链证明字段 {name} 的值不对", f"anchor member {name} has a wrong value")


def _hashes(value: Any, name: str) -> list[bytes]:
    is_list = isinstance(value, list) and len(value) <= POPULATION_MAX
    if not is_list or not all(
        isinstance(one, str) and len(one) == 64 and _HEX.fullmatch(one) for one in value
    ):
        raise _refused(f"{name} 不是哈希列表", f"{name} must be a list of 64 lower-case hex digits")
    return [bytes.fromhex(one) for one in value]


def _refused(zh: str, en: str) -> SamplingError:
    return SamplingError(zh, en)
