"""Loading policy packs from their JSON files, each with the catalogue that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backend.adapters.catalogue import POLICY_DIRECTORY, load_catalogue
from backend.adapters.json_file import read_json
from backend.domain.policy import PolicyPack
from backend.domain.policy_reader import parse_policy_pack
from verifier.commitment.canonical import canonical_bytes

_CATALOGUE_PREFIX: Final = "catalogue-"


def load_pack(path: Path) -> PolicyPack:
    """The pack in ``path``, with the catalogue file that it names in the same directory.

    Raises :class:`MalformedDataError` when the pack, the catalogue, or their match is wrong.
    """
    value = read_json(path, "POLICY PACK")
    reference = value.get("catalogue") if isinstance(value, dict) else None
    name = reference.get("file") if isinstance(reference, dict) else None
    catalogue = None
    if isinstance(name, str) and name and Path(name).name == name:
        catalogue = load_catalogue(path.parent / name)
    return parse_policy_pack(value, catalogue)


def load_packs(directory: Path = POLICY_DIRECTORY) -> tuple[PolicyPack, ...]:
    """Every pack of a directory, in the order of their file names; one wrong pack stops all."""
    return tuple(
        load_pack(path)
        for path in sorted(directory.glob("*.json"))
        if not path.name.startswith(_CATALOGUE_PREFIX)
    )


def pack_document(path: Path) -> bytes:
    """The canonical bytes of a pack file: what its hash is taken of, and what auditors keep."""
    return canonical_bytes(read_json(path, "POLICY PACK"))  # type: ignore[arg-type]
