"""The keys of an invented hospital, in its own folder, which stands for the hospital's machine.

``api-key`` and ``keystore-password`` (mode 0600), ``ledger-key.json`` (encrypted keystore, only of
a hospital that signs for itself), and the upload agent's store ``agent.db``.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account

from backend.adapters.ledger.keystores import SCRYPT_CHEAP
from backend.bootstrap import Services
from scripts.hospital_agent.files import open_keystore, read_api_key, read_password


@dataclass(frozen=True, slots=True)
class HospitalKeys:
    """What a hospital's agent holds besides the base URL. ``ledger_key`` is the 32-byte private
    key, None for a custodial hospital."""

    code: str
    folder: Path
    api_key: str = field(repr=False)
    ledger_key: bytes | None = field(repr=False)

    @property
    def store(self) -> Path:
        return self.folder / "agent.db"


def sample_folder(services: Services) -> Path:
    return services.settings.var_dir / "sample"


def hospital_folder(services: Services, code: str) -> Path:
    """Where one invented hospital keeps its keys, secrets and documents."""
    return sample_folder(services) / "hospitals" / code


def load_keys(folder: Path) -> HospitalKeys:
    """The keys in a hospital's folder; the folder is named by the institution's code."""
    keystore = folder / "ledger-key.json"
    ledger_key = None
    if keystore.is_file():
        ledger_key = open_keystore(keystore, read_password(folder / "keystore-password"))
    return HospitalKeys(folder.name, folder, read_api_key(folder / "api-key"), ledger_key)


def make_keys(folder: Path, *, signs_itself: bool) -> HospitalKeys:
    """Make the keys that are missing; the API key is written last and says that all are there."""
    password, keystore = folder / "keystore-password", folder / "ledger-key.json"
    if not (folder / "api-key").is_file():
        if signs_itself and not password.is_file():
            write_private(password, secrets.token_urlsafe(24) + "\n")
        if signs_itself and not keystore.is_file():
            # Cheap to open: it guards an invented hospital's key on a development ledger.
            document = Account.encrypt(
                secrets.token_bytes(32),
                read_password(password),
                kdf="scrypt",
                iterations=SCRYPT_CHEAP,
            )
            write_private(keystore, json.dumps(document, indent=1) + "\n")
        write_private(folder / "api-key", "yk_" + secrets.token_urlsafe(32) + "\n")
    return load_keys(folder)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600; the name appears with the whole content only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
