"""Loading benefit catalogues from the files beside the policy packs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backend.adapters.json_file import read_json
from backend.domain.catalogue import Catalogue, parse_catalogue

POLICY_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "policies"
SAMPLE_CATALOGUE: Final = POLICY_DIRECTORY / "catalogue-sample.json"


def load_catalogue(path: Path = SAMPLE_CATALOGUE) -> Catalogue:
    """The catalogue in ``path``: the sample one by default, which says that it is a sample.

    Raises :class:`MalformedDataError` naming every fault's JSON path.
    """
    return parse_catalogue(read_json(path, "CATALOGUE"))
