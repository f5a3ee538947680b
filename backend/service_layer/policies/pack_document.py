"""A pack with the text that its hash is taken of."""

from __future__ import annotations

from dataclasses import dataclass

from backend.domain.policy import PolicyPack


@dataclass(frozen=True, slots=True)
class PackDocument:
    """A loaded pack with its canonical bytes: what is published, and what auditors keep."""

    pack: PolicyPack
    document: bytes
