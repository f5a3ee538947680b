"""The verifiable draw of decisions for post-audit: announcement, seed, members, and its check.

The exact rule is in docs/supervision.md, from which anybody can repeat a draw without this code.
Everything here is pure. A population is the set of 32-byte fingerprints of decisions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError
from verifier.commitment.canonical import canonical_bytes

METHOD: Final = "yichu-draw-1"
ANNOUNCEMENT_FORMAT: Final = "yichu-draw-announcement-1"
FIRST_PREVIOUS: Final = bytes(32)
POPULATION_MAX: Final = 100_000
SHARE_WHOLE_BP: Final = 10_000
GROUP_SIZE_MIN: Final = 30
"""Bills that a reference group needs before a bill is compared with its median."""
_HEX32: Final = re.compile(r"[0-9a-f]{64}")
_TEXT_MAX: Final = 40
_NUMBER_MAX: Final = 2**53 - 1


class SamplingError(DomainError):
    """An announcement, population or draw that is not what the documented rule gives."""

    code = "draw-refused"


class Basis(StrEnum):
    """Why a decision is looked at again."""

    RANDOM = "random"
    VALUE = "value"
    VARIANCE = "variance"


@dataclass(frozen=True, slots=True)
class SampleLimits:
    """The parameters of samples, settings of the installation. Shares in basis points."""

    share_bp: int = 500
    value_fen: int = 2_000_000
    variance_percent: int = 150
    period_days: int = 7
    blocks_ahead: int = 20


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is fixed before the draw. ``block_number`` is the future block that gives the seed;
    ``final_number`` and ``final_hash`` are the newest final block when it was written, so that it
    cannot have been written earlier. Value and variance samples are fixed by count and digest."""

    sequence: int
    previous: bytes
    payer_number: int
    chain_id: int
    genesis_hash: bytes
    period_from: str
    period_until: str
    announced_at: str
    population_size: int
    population_digest: bytes
    share_bp: int
    final_number: int
    final_hash: bytes
    block_number: int
    value_fen: int
    value_count: int
    value_digest: bytes
    variance_percent: int
    variance_count: int
    variance_digest: bytes

    def to_record(self) -> dict[str, Any]:
        """The canonical members; byte strings as lower-case hex."""
        found: dict[str, Any] = {"format": ANNOUNCEMENT_FORMAT, "method": METHOD}
        for field in fields(self):
            value = getattr(self, field.name)
            found[field.name] = value.hex() if isinstance(value, bytes) else value
        return found

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(canonical_bytes(self.to_record())).digest()


def read_announcement(record: Any) -> Announcement:
    """An announcement from its record; raises :class:`SamplingError` naming the member."""
    names = {field.name: str(field.type) for field in fields(Announcement)}
    if not isinstance(record, Mapping) or set(record) != {"format", "method", *names}:
        raise _refused("公告的字段不对", "the announcement has other members than its format")
    if (record["format"], record["method"]) != (ANNOUNCEMENT_FORMAT, METHOD):
        raise _refused("不认识的公告格式或抽取方法", "unknown format or method of the draw")
    values = {name: _member(name, kind, record[name]) for name, kind in names.items()}
    found = Announcement(**values)
    if found.sequence < 1 or found.share_bp > SHARE_WHOLE_BP:
        raise _refused("公告的序号或比例不对", "sequence or share is out of its range")
    if found.block_number <= found.final_number:
        raise _refused(
            "公告指定的区块在公告时已经存在",
            "the block was not named before it existed: block_number must exceed final_number",
        )
    return found


def _member(name: str, kind: str, value: Any) -> Any:
    if kind == "bytes" and isinstance(value, str) and _HEX32.fullmatch(value):
        return bytes.fromhex(value)
    if kind == "int" and type(value) is int and 0 <= value <= _NUMBER_MAX:
        return value
    if kind == "str" and isinstance(value, str) and 0 < len(value) <= _TEXT_MAX:
        return value
    raise _refused(f"公告字段 {name} 的值不对", f"announcement member {name} has a wrong value")


def digest_of(fingerprints: Iterable[bytes]) -> bytes:
    """SHA-256 of the fingerprints in ascending order, one after the other. Refuses duplicates."""
    return hashlib.sha256(b"".join(in_order(fingerprints))).digest()


def in_order(fingerprints: Iterable[bytes]) -> list[bytes]:
    """Ascending. Raises :class:`SamplingError` for a duplicate, a wrong size, or too many."""
    found = sorted(fingerprints)
    if len(set(found)) != len(found) or any(len(one) != 32 for one in found):
        raise _refused(
            "名单里有重复或长度不对的指纹", "a fingerprint is there twice or is not 32 bytes"
        )
    if len(found) > POPULATION_MAX:
        raise _refused(
            f"一次抽查的名单最多 {POPULATION_MAX} 项", f"a population has {POPULATION_MAX} at most"
        )
    return found


def seed_of(announcement_digest: bytes, block_hash: bytes) -> bytes:
    """SHA-256(announcement digest || block hash)."""
    if len(announcement_digest) != 32 or len(block_hash) != 32:
        raise _refused("摘要或区块哈希长度不对", "digest and block hash have 32 bytes each")
    return hashlib.sha256(announcement_digest + block_hash).digest()


def sample_size(population: int, share_bp: int) -> int:
    """ceil(population x share); integers only."""
    return -(-population * share_bp // SHARE_WHOLE_BP)


def draw_members(seed: bytes, fingerprints: Iterable[bytes], share_bp: int) -> list[bytes]:
    """The members drawn, in the order drawn: the lowest SHA-256(seed || fingerprint)."""
    population = in_order(fingerprints)
    ranked = sorted(population, key=lambda one: (hashlib.sha256(seed + one).digest(), one))
    return ranked[: sample_size(len(population), share_bp)]


def is_value(paid_fen: int, limits: SampleLimits) -> bool:
    """Whether the amount paid is at or above the threshold."""
    return paid_fen >= limits.value_fen


def is_variance(total_fen: int, group: tuple[int, int] | None, limits: SampleLimits) -> bool:
    """Whether (total / median - 1) x 100 is at or above the threshold. ``group`` is (median in
    fen, size); None or a small group is no ground to compare."""
    if group is None or group[1] < GROUP_SIZE_MIN or group[0] <= 0:
        return False
    return total_fen * 100 >= (100 + limits.variance_percent) * group[0]


def verify_population(announcement: Announcement, fingerprints: Sequence[bytes]) -> None:
    """Raises :class:`SamplingError` unless this is the population that was announced."""
    size, digest = len(fingerprints), digest_of(fingerprints)
    expected = (announcement.population_size, announcement.population_digest)
    if (size, digest) != expected:
        raise _refused(
            f"名单与公告不符：公告 {expected[0]} 项，现在 {size} 项",
            f"the population is not the announced one: {expected[0]} announced, {size} now",
        )


def _refused(zh: str, en: str) -> SamplingError:
    return SamplingError(zh, en)
