"""The unlocked accounts of the development ledger.

Derivation is BIP-39 / BIP-44 with ganache's path ``m/44'/60'/0'/0/i``, so ``--deterministic``
gives the accounts that every ganache user knows (the first is 0x90F8bf6A...).
"""

from __future__ import annotations

import hashlib
import secrets

from eth_account.hdaccount import Mnemonic
from eth_keys import keys
from eth_tester.backends.pyevm.main import get_account_keys_from_mnemonic
from eth_utils import ValidationError

from backend.entrypoints.devchain.errors import LedgerStartError

#: The mnemonic of ``ganache --deterministic`` (ganache 7, wallet options).
DETERMINISTIC_MNEMONIC = (
    "myth like bonus scare over problem client lizard pioneer submit female collect"
)
HD_PATH = "m/44'/60'/0'/0"
MAX_ACCOUNTS = 100


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
