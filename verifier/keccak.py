"""Keccak-256 as Ethereum uses it: the sponge of FIPS 202 with the padding before it was a standard.

Plain Python, since the standard library's SHA-3 pads differently. One block costs about a tenth of
a millisecond; the verifier hashes signatures and two contracts' code.
"""

from __future__ import annotations

from typing import Final

RATE_BYTES: Final = 136

_MASK: Final = 2**64 - 1
#: Iota: FIPS 202, 3.2.5.
_ROUND_CONSTANTS: Final = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip
#: Rho: rotation of lane (x, y), at index x + 5y (FIPS 202, 3.2.2).
_ROTATIONS: Final = (
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
)  # fmt: skip


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 hash of ``data``."""
    padded = bytearray(data)
    padded.extend(bytes(RATE_BYTES - len(data) % RATE_BYTES))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), RATE_BYTES):
        for index in range(RATE_BYTES // 8):
            offset = start + 8 * index
            lanes[index] ^= int.from_bytes(padded[offset : offset + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(lanes: list[int]) -> list[int]:
    for constant in _ROUND_CONSTANTS:
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        theta = [columns[x - 1] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for x in range(5):
            for y in range(5):
                source = x + 5 * y
                target = y + 5 * ((2 * x + 3 * y) % 5)
                moved[target] = _rotate(lanes[source] ^ theta[x], _ROTATIONS[source])
        lanes = [
            moved[i] ^ (~moved[(i + 1) % 5 + 5 * (i // 5)] & moved[(i + 2) % 5 + 5 * (i // 5)])
            for i in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def _rotate(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK
