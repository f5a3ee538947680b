"""A messenger that sends nothing: each text becomes a file, readable by its owner alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from backend.adapters.bank.folder_exchange import write_durably

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


class SimulatedMessenger:
    """``folder`` gets one file a notice, named by its id: the same id again writes it again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def is_simulated(self) -> bool:
        return True

    def send(self, notice_id: str, phone: str, text: str) -> str:
        """The file's name as the reference."""
        if not _ID.fullmatch(notice_id):
            raise ValueError("not an identifier of a notice")
        name = f"{notice_id}.txt"
        lines = ("模拟短信，没有发出 / simulated, nothing was sent", phone, text, "")
        write_durably(self._folder / name, "\n".join(lines).encode())
        return name
