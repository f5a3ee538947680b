"""Loading the point scales that are shipped with the program."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Final

from backend.adapters.json_file import read_json
from backend.domain.points import Scale, parse_scale

SCALE_DIRECTORY: Final = Path(__file__).resolve().parents[1] / "scales"


def load_scales(directory: Path = SCALE_DIRECTORY) -> tuple[tuple[Scale, bytes], ...]:
    """Every scale with the SHA-256 of its file, by first day. Raises MalformedDataError."""
    found = [
        (parse_scale(read_json(path, path.name)), hashlib.sha256(path.read_bytes()).digest())
        for path in sorted(directory.glob("*.json"))
    ]
    return tuple(sorted(found, key=lambda one: one[0].valid_from))


def scale_on(scales: tuple[tuple[Scale, bytes], ...], day: dt.date) -> tuple[Scale, bytes] | None:
    """The newest scale that is valid on a day."""
    return next((one for one in reversed(scales) if one[0].valid_from <= day), None)
