"""Loading policy packs from their JSON files, each with the catalogue that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backend.adapters.catalogue import POLICY_DIRECTORY, load_catalogue
from backend.adapters.json_file import read_json
from backend.domain.catalogue import Catalogue
from backend.domain.policy import PolicyPack
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.record_reader import MalformedDataError
from backend.service_layer.policies.pack_document import PackDocument
from verifier.commitment.canonical import canonical_bytes

_CATALOGUE_PREFIX: Final = "catalogue-"


def catalogue_path(directory: Path, name: str) -> Path:
    """Where a pack's catalogue lies: beside the pack, else among the installed ones. The pack
    names its digest, so it does not matter which copy is read."""
    beside = directory / name
    installed = POLICY_DIRECTORY / name
    return installed if not beside.is_file() and installed.is_file() else beside


def load_pack(path: Path, catalogues: dict[Path, Catalogue] | None = None) -> PolicyPack:
    """The pack in ``path``, with the catalogue file that it names.

    ``catalogues`` remembers what was read, so that packs of one directory share a catalogue.
    Raises :class:`MalformedDataError` when the pack, the catalogue, or their match is wrong.
    """
    known = {} if catalogues is None else catalogues
    value = read_json(path, "POLICY PACK")
    reference = value.get("catalogue") if isinstance(value, dict) else None
    name = reference.get("file") if isinstance(reference, dict) else None
    catalogue = None
    if isinstance(name, str) and name and Path(name).name == name:
        file = catalogue_path(path.parent, name)
        catalogue = known[file] if file in known else load_catalogue(file)
        known[file] = catalogue
    return parse_policy_pack(value, catalogue)


def pack_paths(directory: Path = POLICY_DIRECTORY) -> list[Path]:
    """The pack files of a directory, in the order of their names; catalogues are none."""
    return [
        path
        for path in sorted(directory.glob("*.json"))
        if not path.name.startswith(_CATALOGUE_PREFIX)
    ]


def load_packs(directory: Path = POLICY_DIRECTORY) -> tuple[PolicyPack, ...]:
    """Every pack of a directory, in the order of their file names; one wrong pack stops all.

    Raises :class:`MalformedDataError`, also when two files are packs of one name.
    """
    catalogues: dict[Path, Catalogue] = {}
    packs: dict[str, PolicyPack] = {}
    for path in pack_paths(directory):
        pack = load_pack(path, catalogues)
        if pack.pack_id in packs:
            fault = ("/pack_id", f"{pack.pack_id} 重复", f"{pack.pack_id} is in two files")
            raise MalformedDataError("POLICY PACK", (fault,))
        packs[pack.pack_id] = pack
    return tuple(packs.values())


def installed_pack_path(pack_id: str, directory: Path = POLICY_DIRECTORY) -> Path | None:
    """The file of an installed pack by its ``pack_id``; files are named after it."""
    path = directory / f"{pack_id}.json"
    return path if path in pack_paths(directory) else None


def pack_document(path: Path) -> bytes:
    """The canonical bytes of a pack file: what its hash is taken of, and what auditors keep."""
    return canonical_bytes(read_json(path, "POLICY PACK"))  # type: ignore[arg-type]


def read_documents(paths: Sequence[Path] | None, region: str) -> list[PackDocument]:
    """The packs in ``paths``, or every installed one of ``region``, with their canonical bytes.

    Raises :class:`MalformedDataError` when one of them is wrong.
    """
    catalogues: dict[Path, Catalogue] = {}
    loaded = [(path, load_pack(path, catalogues)) for path in (paths or pack_paths())]
    return [
        PackDocument(pack, pack_document(path))
        for path, pack in loaded
        if paths or pack.region == region
    ]
