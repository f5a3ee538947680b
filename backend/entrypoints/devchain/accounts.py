"""The unlocked accounts of the development ledger.

Derivation is BIP-39 / BIP-44 with ganache's path ``m/44'/60'/0'/0/i``, so ``--deterministic``
gives the accounts that every ganache user knows (the first is 0x90F8bf6A...). The keys of a ledger
on disk are kept in encrypted keystores beside it, never in its database; the phrase is not kept.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from eth_account.hdaccount import Mnemonic
from eth_keys import keys
from eth_tester.backends.pyevm.main import get_account_keys_from_mnemonic
from eth_utils import ValidationError

from backend.adapters.ledger.keystores import SCRYPT_CHEAP, KeystoreError, Keystores
from backend.entrypoints.devchain.errors import LedgerStartError, refused

#: The mnemonic of ``ganache --deterministic`` (ganache 7, wallet options).
DETERMINISTIC_MNEMONIC = (
    "myth like bonus scare over problem client lizard pioneer submit female collect"
)
HD_PATH = "m/44'/60'/0'/0"
MAX_ACCOUNTS = 100
KEYSTORES = "keystores"
PASSWORD_FILE = "keystore_password"  # noqa: S105 - a file's name


def choose_mnemonic(mnemonic: str | None, deterministic: bool, seed: str | None) -> str:
    """The mnemonic that the options ask for; random if they ask for none, as in ganache 7.

    A ``seed`` gives the same accounts each time, but not the ones that ganache's own generator
    makes of that seed.
    """
    if mnemonic is not None:
        words = " ".join(mnemonic.split())
        if not Mnemonic().is_mnemonic_valid(words):
            raise LedgerStartError(
                "--mnemonic 不是有效的 BIP-39 助记词。请检查单词和顺序。",
                "--mnemonic is not a valid BIP-39 phrase. Check the words and their order.",
            )
        return words
    if deterministic:
        return DETERMINISTIC_MNEMONIC
    entropy = (
        hashlib.sha256(seed.encode()).digest()[:16] if seed is not None else secrets.token_bytes(16)
    )
    return str(Mnemonic().to_mnemonic(entropy))


def derive_accounts(mnemonic: str, count: int) -> list[tuple[bytes, bytes]]:
    """(address, private key) of the first ``count`` accounts of the mnemonic."""
    if not 1 <= count <= MAX_ACCOUNTS:
        raise LedgerStartError(
            f"--accounts 必须在 1 到 {MAX_ACCOUNTS} 之间,收到 {count}。",
            f"--accounts must be between 1 and {MAX_ACCOUNTS}; got {count}.",
        )
    try:
        derived = get_account_keys_from_mnemonic(mnemonic, quantity=count, hd_path=HD_PATH)
    except ValidationError as error:
        raise LedgerStartError(
            "无法由助记词派生账户。", f"Cannot derive accounts from the mnemonic: {error}"
        ) from error
    return [(key.public_key.to_canonical_address(), key.to_bytes()) for key in derived]


def account_from_private_key(private_key: bytes) -> tuple[bytes, bytes]:
    """(address, private key) of a key that the user names himself."""
    return keys.PrivateKey(private_key).public_key.to_canonical_address(), private_key


class Wallet:
    """The accounts of one ledger, in order, and their keys: in memory, or in keystores that are
    opened at first use."""

    def __init__(
        self, addresses: list[bytes], keys_at_hand: dict[bytes, bytes], stores: Keystores | None
    ) -> None:
        self.addresses = tuple(addresses)
        self._keys = keys_at_hand
        self._stores = stores

    @classmethod
    def create(cls, folder: Path | None, pairs: list[tuple[bytes, bytes]]) -> Wallet:
        """The wallet of a new ledger: a keystore an account, unless it is in memory only."""
        stores = None if folder is None else _keystores(folder)
        if folder is not None and stores is not None:
            # Left by a start that was cut off before there was a ledger: other keys.
            for stale in (folder / KEYSTORES).glob("*.json"):
                stale.unlink()
            for position, (_, key) in enumerate(pairs):
                stores.create(f"account-{position}", key)
        return cls([address for address, _ in pairs], dict(pairs), stores)

    @classmethod
    def open(cls, folder: Path, addresses: list[bytes]) -> Wallet:
        """The wallet of a stored ledger."""
        return cls(addresses, {}, _keystores(folder))

    def key(self, address: bytes) -> bytes | None:
        """The private key of an account, ``None`` of a stranger's.

        Raises :class:`RpcError` when its keystore is missing or does not open.
        """
        if address not in self._keys and address in self.addresses and self._stores is not None:
            try:
                self._keys[address] = self._stores.open_key(
                    f"account-{self.addresses.index(address)}"
                )
            except KeystoreError as error:
                raise refused(error.en) from error
        return self._keys.get(address)


def _keystores(folder: Path) -> Keystores:
    """The keystores of a ledger. Their password is YICHU_KEYSTORE_PASSWORD, else that of the file
    ``keystore_password`` in the folder, which is made when it is missing."""
    password = os.environ.get("YICHU_KEYSTORE_PASSWORD", "")
    path = folder / PASSWORD_FILE
    if not password and not path.is_file():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    # Cheap to open: these accounts hold the money of a development ledger.
    return Keystores(folder / KEYSTORES, password or path.read_text("ascii").strip(), SCRYPT_CHEAP)
