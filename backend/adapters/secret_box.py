"""Wrapping of invoice and decision secrets, and keyed hashes for lookups.

The wrapping key stays outside the database and its backups, so that destroying a wrapped secret
makes the salted leaves unguessable for good (design: ledger protocol, sections 1 and 7).
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backend.domain.errors import DomainError

_FORMAT = b"\x01"  # AES-256-GCM, 12-byte nonce
_NONCE_BYTES = 12


class SecretUnreadableError(DomainError):
    """A wrapped secret does not open: wrong key, wrong row, or changed bytes."""

    code = "secret-unreadable"


class AESGCMSecretBox:
    """Two keys derived from one 32-byte wrapping key: one wraps, one makes lookups."""

    def __init__(self, wrapping_key: bytes) -> None:
        if len(wrapping_key) != 32:
            raise SecretUnreadableError("封装密钥应为 32 字节", "the wrapping key must be 32 bytes")
        self._cipher = AESGCM(hmac.digest(wrapping_key, b"yichu-wrap/1", hashlib.sha256))
        self._lookup_key = hmac.digest(wrapping_key, b"yichu-lookup/1", hashlib.sha256)

    def wrap(self, secret: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        nonce, body = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            if wrapped[:1] != _FORMAT:
                raise InvalidTag
            return self._cipher.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadableError(
                "封装的密钥打不开：密钥不对或数据被改动",
                "a wrapped secret does not open: wrong key or changed bytes",
            ) from error

    def lookup(self, purpose: str, value: str) -> bytes:
        message = purpose.encode() + b"\x00" + value.encode()
        return hmac.digest(self._lookup_key, message, hashlib.sha256)
