"""The folder of an invented hospital: nothing in plain text, nothing half made."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account

from scripts.hospital_agent import AgentError
from scripts.hospital_agent.files import open_keystore, read_password
from scripts.sample_data.hospital_keys import load_keys, make_keys


def test_ledger_key_is_encrypted_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "H33080200001"
    made = make_keys(folder, signs_itself=True)
    assert made.code == "H33080200001"
    assert sorted(path.name for path in folder.iterdir()) == [
        "api-key",
        "keystore-password",
        "ledger-key.json",
    ]
    assert made.ledger_key is not None
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert made.ledger_key.hex() not in path.read_text("utf-8")
    document = (folder / "ledger-key.json").read_text("utf-8")
    password = (folder / "keystore-password").read_text("utf-8").strip()
    assert bytes(Account.decrypt(document, password)) == made.ledger_key
    for secret in (made.api_key, made.ledger_key.hex(), repr(made.ledger_key)):
        assert secret not in repr(made)


def test_keys_are_made_once(tmp_path: Path) -> None:
    assert make_keys(tmp_path, signs_itself=True) == make_keys(tmp_path, signs_itself=True)
    assert load_keys(tmp_path) == make_keys(tmp_path, signs_itself=True)


def test_custodial_hospital_has_an_api_key_only(tmp_path: Path) -> None:
    made = make_keys(tmp_path, signs_itself=False)
    assert made.ledger_key is None
    assert [path.name for path in tmp_path.iterdir()] == ["api-key"]


def test_interrupted_making_keeps_the_ledger_key(tmp_path: Path) -> None:
    """The account may be registered by then."""
    first = make_keys(tmp_path, signs_itself=True)
    (tmp_path / "api-key").unlink()
    second = make_keys(tmp_path, signs_itself=True)
    assert second.ledger_key == first.ledger_key
    assert second.api_key != first.api_key


def test_keystore_does_not_open_with_another_password(tmp_path: Path) -> None:
    make_keys(tmp_path, signs_itself=True)
    with pytest.raises(AgentError, match="wrong password or damaged file"):
        open_keystore(tmp_path / "ledger-key.json", "another")
    (tmp_path / "keystore-password").write_text("\n")
    with pytest.raises(AgentError, match="there is no password in"):
        read_password(tmp_path / "keystore-password")
