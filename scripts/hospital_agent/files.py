"""The files that a hospital gives its agent: API key, keystore, password, the network's identity.

Whatever is wrong with one is an AgentError that names the file, never its content.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_account import Account

from scripts.hospital_agent.agent import AgentError

_API_KEY: Final = re.compile(r"[!-~]{8,200}")
_ADDRESS: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{40})")


@dataclass(frozen=True, slots=True)
class PinnedNetwork:
    """What the hospital has from the network's operator, out of band."""

    chain_id: int
    contract: str


def read_api_key(path: Path) -> str:
    """The API key, alone in its file."""
    text = _text(path)
    if not _API_KEY.fullmatch(text):
        raise AgentError(f"{path} 中没有 API 密钥 / there is no API key in {path}")
    return text


def read_password(path: Path) -> str:
    """The keystore's password, alone in its file."""
    text = _text(path)
    if not text:
        raise AgentError(f"{path} 中没有口令 / there is no password in {path}")
    return text


def open_keystore(path: Path, password: str) -> bytes:
    """The private key of an encrypted keystore (Web3 secret storage, version 3)."""
    document = _json(path)
    try:
        return bytes(Account.decrypt(document, password))
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise AgentError(
            f"密钥库 {path} 打不开：口令不对或文件损坏 / the keystore {path} does not open: "
            "wrong password or damaged file"
        ) from error


def read_network(path: Path) -> PinnedNetwork:
    """Chain id and invoice ledger, from the ``deployment.json`` that the operator hands out."""
    document = _json(path)
    try:
        chain_id = document["chain_id"]
        address = _ADDRESS.fullmatch(document["contracts"]["invoice_ledger"]["address"])
    except (KeyError, TypeError) as error:
        raise _bad_network(path) from error
    if address is None or type(chain_id) is not int or chain_id < 1:
        raise _bad_network(path)
    return PinnedNetwork(chain_id, f"0x{address[1].lower()}")


def _bad_network(path: Path) -> AgentError:
    return AgentError(
        f"{path} 不是网络说明文件，请向运营方索取 / {path} does not describe a network; "
        "ask the network's operator for it"
    )


def _json(path: Path) -> Any:
    try:
        document = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise AgentError(f"{path} 不是 JSON 文件 / {path} is no JSON file") from error
    if not isinstance(document, dict):
        raise AgentError(f"{path} 不是 JSON 对象 / {path} holds no JSON object")
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise AgentError(f"{path} 不是文本文件 / {path} is no text file") from error
    except OSError as error:
        raise AgentError(
            f"无法读取 {path} / cannot read {path}: {error.strerror or type(error).__name__}"
        ) from error
