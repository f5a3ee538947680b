"""The canonical texts of the policy packs and catalogues in the policy folder, by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import pack_document


@dataclass(frozen=True, slots=True)
class ShippedRules:
    """Finds a document of ``directory`` by SHA-256 of its canonical bytes."""

    directory: Path = POLICY_DIRECTORY

    def pack_text(self, policy_hash: bytes) -> str | None:
        """The text of the pack with this policy hash, None when no such file is there."""
        return self._find(policy_hash)

    def catalogue_text(self, digest: bytes) -> str | None:
        """The text of the catalogue with this digest, None when no such file is there."""
        return self._find(digest)

    def _find(self, digest: bytes) -> str | None:
        for path in sorted(self.directory.glob("*.json")):
            document = pack_document(path)
            if hashlib.sha256(document).digest() == digest:
                return document.decode()
        return None
