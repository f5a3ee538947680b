"""What ``yichu contracts deploy`` hands to auditors, and what it keeps inside the consortium."""

from __future__ import annotations

import json
from pathlib import Path

from backend.adapters.ledger.deployment import write_files
from backend.service_layer.anchoring.model import Deployment
from backend.settings import Settings
from verifier.trust import parse_trust

KEY = bytes.fromhex("5a" * 32)
DEPLOYED = Deployment(
    chain_id=1337,
    genesis_hash=b"\x11" * 32,
    registry="0x" + "22" * 20,
    registry_code_hash=b"\x33" * 32,
    invoice_ledger="0x" + "44" * 20,
    invoice_ledger_code_hash=b"\x55" * 32,
    block_number=2,
)


def write(folder: Path, key: bytes | None) -> Path:
    settings = Settings.from_environment({"YICHU_VAR": str(folder)})
    return write_files(settings, DEPLOYED, {"registry": 1, "invoice_ledger": 2}, key)


def test_network_key_is_in_the_secret_trust_file_only(tmp_path: Path) -> None:
    public = write(tmp_path, KEY)
    secret = tmp_path / "trust-with-network-key.json"
    assert public == tmp_path / "trust.json"
    assert secret.stat().st_mode & 0o777 == 0o600
    holding = [p.name for p in tmp_path.iterdir() if KEY.hex() in p.read_text("utf-8")]
    assert holding == [secret.name]
    assert parse_trust(public.read_bytes()).network_key is None
    assert parse_trust(secret.read_bytes()).network_key == KEY
    both = json.loads(secret.read_text("utf-8"))
    assert json.loads(public.read_text("utf-8")) == {
        name: value for name, value in both.items() if not name.startswith("network_key")
    }


def test_without_a_network_key_there_is_no_secret_trust_file(tmp_path: Path) -> None:
    write(tmp_path, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deployment.json", "trust.json"]
