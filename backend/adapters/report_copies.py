"""Copies of the signed reports, a file each, in a folder that no backup of the database holds.

A report is text that was signed: whoever has it can check it. So a folder beside the database,
which a restored backup does not turn back, is enough to know which reports were given out.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
from pathlib import Path
from typing import Final

from backend.service_layer.money_reconciliation.report import MoneyReport

_NAME: Final = re.compile(r"report-([0-9]{6,12})-([0-9a-f]{16})\.json")
_BYTES_MAX: Final = 64 * 1024 * 1024


class ReportCopies:
    """One folder. A file that is no copy, or cannot be read, is no report."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, report: MoneyReport) -> None:
        """Keep a report durably; the same again changes nothing. Raises OSError."""
        path = self._folder / f"report-{report.number:06d}-{report.digest.hex()[:16]}.json"
        if path.is_file():
            return
        said = {
            "number": report.number,
            "made_at": report.made_at.astimezone(dt.UTC).isoformat(),
            "mismatch_count": report.mismatch_count,
            "text": report.text,
            "digest": report.digest.hex(),
            "previous_digest": report.previous_digest.hex(),
            "account": report.account,
            "signature": report.signature.hex(),
        }
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self._folder / f"{secrets.token_hex(8)}.part"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps(said, ensure_ascii=False, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def above(self, number: int) -> list[MoneyReport]:
        """The copies with a higher number, the highest first. Raises OSError."""
        return self._of(sorted((n for n in self._numbers() if n > number), reverse=True))

    def find(self, number: int) -> list[MoneyReport]:
        """Every copy of one number; more than one when the reports have parted. Raises OSError."""
        return self._of([number])

    def _numbers(self) -> set[int]:
        if not self._folder.is_dir():
            return set()
        names = (_NAME.fullmatch(one.name) for one in self._folder.iterdir())
        return {int(found[1]) for found in names if found}

    def _of(self, numbers: list[int]) -> list[MoneyReport]:
        found = []
        for number in numbers:
            for path in sorted(self._folder.glob(f"report-{number:06d}-*.json")):
                report = _read(path) if _NAME.fullmatch(path.name) else None
                if report is not None and report.number == number:
                    found.append(report)
        return found


def _read(path: Path) -> MoneyReport | None:
    if path.is_symlink() or path.stat().st_size > _BYTES_MAX:
        return None
    try:
        said = json.loads(path.read_bytes())
        return MoneyReport(
            number=int(said["number"]),
            made_at=dt.datetime.fromisoformat(said["made_at"]),
            mismatch_count=int(said["mismatch_count"]),
            text=str(said["text"]),
            digest=bytes.fromhex(said["digest"]),
            previous_digest=bytes.fromhex(said["previous_digest"]),
            account=str(said["account"]),
            signature=bytes.fromhex(said["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
