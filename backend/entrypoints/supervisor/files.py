"""What the embedded system keeps in ``var/``: secrets, markers, and ledgers set aside."""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from backend.domain.errors import DomainError

SECRET_NAMES = ("network_key", "wrapping_key", "session_key", "keystore_password")
SECRET_BYTES = 32
#: What belongs to one ledger and goes with it when it is set aside. Secrets and logs stay.
_LEDGER_BOUND = (
    "ledger",
    "yichu.db",
    "yichu.db-wal",
    "yichu.db-shm",
    "keystores",
    "sample",
    "payouts",
    "deployment.json",
    "trust.json",
    "trust-with-network-key.json",
    "sample.started",
    "sample.done",
)


class StartRefusedError(DomainError):
    """The embedded system cannot start; the text names the cause and what to do."""

    code = "start-refused"


@dataclass(frozen=True, slots=True)
class VarFolder:
    """The folder of everything that is kept."""

    path: Path
    secrets_path: Path

    @property
    def ledger(self) -> Path:
        return self.path / "ledger"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def logins(self) -> Path:
        return self.path / "sample" / "logins.json"

    def prepare(self) -> None:
        """Create the folders and, once, the secrets (files of mode 0600).

        The database holds names and identity numbers: a new folder is closed to other users.
        """
        for folder in (self.path, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.secrets_path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in SECRET_NAMES:
            path = self.secrets_path / name
            if not path.exists() and f"YICHU_{name.upper()}" not in os.environ:
                _write_secret(path)

    def lock(self) -> IO[str]:
        """Hold the folder for this supervisor.

        Raises :class:`StartRefusedError` if another one runs on it.
        """
        lock = (self.path / "up.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StartRefusedError(
                f"系统已在 {self.path} 上运行。请先在那个终端按 Ctrl-C 停止它。",
                f"The system is already running on {self.path}. Stop it there with Ctrl-C first.",
            ) from None
        return lock

    # -- the sample ----------------------------------------------------------------------------

    def sample_loaded(self) -> bool:
        """Whether the sample was loaded to its end."""
        return (self.path / "sample.done").exists()

    def sample_interrupted(self) -> bool:
        """Whether loading was begun and not ended."""
        return (self.path / "sample.started").exists() and not self.sample_loaded()

    def mark_sample_started(self) -> None:
        """Before the first upload."""
        (self.path / "sample.started").touch()

    def mark_sample_done(self) -> None:
        """After the last one; written durably, since the next start decides by it."""
        with (self.path / "sample.done").open("w") as marker:
            marker.flush()
            os.fsync(marker.fileno())

    # -- setting aside -------------------------------------------------------------------------

    def set_aside(self, now: datetime) -> Path:
        """Move ledger, database and what belongs to them into a dated folder; nothing is deleted.

        The ledger goes last: if the move is cut off, the database is gone and the next start sets
        the rest aside too, and never runs an old database on a new ledger.
        """
        target = self.path / f"set-aside-{now:%Y%m%dT%H%M%S}"
        target.mkdir()
        for name in reversed(_LEDGER_BOUND):
            source = self.path / name
            if source.exists():
                source.rename(target / name)
        return target


def _write_secret(path: Path) -> None:
    """A fresh random secret; the name appears only with the whole content in the file."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
