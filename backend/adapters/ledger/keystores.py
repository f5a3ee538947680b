"""Encrypted keystores (Web3 secret storage version 3), one a role, opened at first use.

A file is named ``<role>.json``: ``deployer``, ``registrar``, ``policy-publisher``, ``pauser``,
``payer-<number>``, ``institution-<code>``, further accounts of these two with ``-2``, ``-3``, ...,
and ``probe``, which may do nothing. The password comes from YICHU_KEYSTORE_PASSWORD or
the file ``<secrets_dir>/keystore_password``. Keys of different roles are different keys: registrar,
policy publisher, pauser, payers and issuers are kept apart (design: ledger protocol, section 4).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_utils.address import to_checksum_address

from backend.adapters.ledger.transactions import sign
from backend.service_layer.anchoring.model import (
    KeyUnavailableError,
    SignedTransaction,
    UnsignedTransaction,
)
from backend.settings import Settings

# scrypt with n = 2^18 costs most of a second a key (measured): fit for production. The sample
# makes many keys that guard nothing and uses the cheap setting.
SCRYPT_STRONG: Final = 2**18
SCRYPT_CHEAP: Final = 2**12
_ROLE: Final = re.compile(r"[a-z]+(-[A-Za-z0-9]+)*")


class KeystoreError(KeyUnavailableError):
    """A keystore is missing, unreadable, or does not open with the password."""

    code = "keystore"


class Keystores:
    """The keys that the operator holds. Thread-safe; keys stay in memory once opened."""

    def __init__(self, folder: Path, password: str, iterations: int = SCRYPT_STRONG) -> None:
        self._folder = folder
        self._password = password
        self._iterations = iterations
        self._keys: dict[str, bytes] = {}
        self._roles: dict[str, str] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> Keystores:
        """Raises KeystoreError when no password is configured.

        YICHU_KEYSTORE_SCRYPT=cheap makes new keystores cheap to open, for samples and tests.
        """
        is_cheap = os.environ.get("YICHU_KEYSTORE_SCRYPT", "") == "cheap"
        iterations = SCRYPT_CHEAP if is_cheap else SCRYPT_STRONG
        password = os.environ.get("YICHU_KEYSTORE_PASSWORD", "")
        path = settings.secrets_dir / "keystore_password"
        if not password and path.is_file():
            password = path.read_text().strip()
        if not password:
            raise KeystoreError(
                f"缺少密钥库口令：请设置 YICHU_KEYSTORE_PASSWORD 或文件 {path}",
                f"the keystore password is missing: set YICHU_KEYSTORE_PASSWORD or {path}",
            )
        return cls(settings.keystore_dir, password, iterations)

    def create(self, role: str, private_key: bytes | None = None) -> str:
        """Make a keystore unless there is one; returns its account."""
        path = self._path(role)
        if path.exists():
            return self.account_of(role)
        key = private_key or secrets.token_bytes(32)
        document = Account.encrypt(key, self._password, kdf="scrypt", iterations=self._iterations)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(document))
        partial.replace(path)
        return self.account_of(role)

    def account_of(self, role: str) -> str:
        """The checksummed account of a role, read without opening the key."""
        return to_checksum_address(self._document(role)["address"])

    def has(self, role: str) -> bool:
        return self._path(role).exists()

    def roles(self) -> list[str]:
        """The roles of the keystores that are here, in order of name."""
        if not self._folder.is_dir():
            return []
        return sorted(p.stem for p in self._folder.glob("*.json") if _ROLE.fullmatch(p.stem))

    def holds(self, account: str) -> bool:
        """Whether one of the keystores is that account's."""
        return self._role_of(account) is not None

    def sign(self, account: str, unsigned: UnsignedTransaction) -> SignedTransaction:
        """Sign with the account's key; raises KeystoreError when we do not hold it."""
        role = self._role_of(account)
        if role is None:
            raise _no_keystore(account)
        return sign(unsigned, self._open(role, account))

    def key_of(self, account: str) -> bytes:
        """The account's private key; raises KeystoreError when we do not hold it."""
        role = self._role_of(account)
        if role is None:
            raise _no_keystore(account)
        return self._open(role, account)

    def require_open(self, account: str) -> None:
        """Raise KeystoreError unless the account's key is here and opens with the password."""
        role = self._role_of(account)
        if role is None:
            raise _no_keystore(account)
        self._open(role, account)

    def open_key(self, role: str) -> bytes:
        """The private key of a role; raises KeystoreError when it does not open."""
        return self._open(role, self.account_of(role))

    def _open(self, role: str, account: str) -> bytes:
        with self._lock:
            if account not in self._keys:
                try:
                    key = Account.decrypt(self._document(role), self._password)
                except ValueError as error:
                    raise KeystoreError(
                        f"密钥库 {role} 打不开：口令不对或文件被改动。"
                        "请检查 YICHU_KEYSTORE_PASSWORD 或口令文件",
                        f"keystore {role} does not open: wrong password or changed file; check "
                        "YICHU_KEYSTORE_PASSWORD or the password file",
                    ) from error
                if Account.from_key(key).address != account:
                    raise KeystoreError(
                        f"密钥库 {role} 的地址与密钥不符",
                        f"keystore {role} holds another key than its address says",
                    )
                self._keys[account] = bytes(key)
            return self._keys[account]

    def _role_of(self, account: str) -> str | None:
        if account not in self._roles and self._folder.is_dir():
            for path in self._folder.glob("*.json"):
                if _ROLE.fullmatch(path.stem):
                    self._roles[self.account_of(path.stem)] = path.stem
        return self._roles.get(account)

    def _document(self, role: str) -> dict[str, Any]:
        try:
            document = json.loads(self._path(role).read_text())
            bytes.fromhex(document["address"].removeprefix("0x"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeystoreError(
                f"密钥库 {role} 不存在或无法读取", f"keystore {role} is missing or unreadable"
            ) from error
        return dict(document)

    def _path(self, role: str) -> Path:
        if not _ROLE.fullmatch(role):
            raise KeystoreError("密钥库名称不合规", "a keystore name has an impossible form")
        return self._folder / f"{role}.json"


def _no_keystore(account: str) -> KeystoreError:
    return KeystoreError(
        f"没有账户 {account} 的密钥", f"there is no keystore for account {account}"
    )
