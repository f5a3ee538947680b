"""Signatures of reports with the agency's keys on the ledger (EIP-191, version 0x45)."""

from __future__ import annotations

from typing import Protocol

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature, ValidationError

SIGNATURE_BYTES = 65


class MessageKeys(Protocol):
    def key_of(self, account: str) -> bytes: ...


class SignatureReader:
    """Tells whose a signature is."""

    def signer_of(self, digest: bytes, signature: bytes) -> str:
        if len(signature) != SIGNATURE_BYTES:
            return ""
        try:
            return str(Account.recover_message(encode_defunct(digest), signature=signature))
        except (BadSignature, ValidationError, ValueError):
            return ""


class LedgerKeySigner(SignatureReader):
    """Signs a digest as a personal message, which no transaction can be taken for."""

    def __init__(self, keys: MessageKeys) -> None:
        self._keys = keys

    def sign(self, account: str, digest: bytes) -> bytes:
        key = self._keys.key_of(account)
        return bytes(Account.sign_message(encode_defunct(digest), key).signature)
