"""``yichu sample verify --rpc`` against a real node."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.adapters.ledger.rpc import JSONRPC
from backend.domain.sampling import SamplingError
from backend.entrypoints.cli.sample import command
from tests.anvil import running_anvil
from tests.unit.docs.test_draw_from_its_description import (
    described_announcement,
    described_draw_of,
)

pytestmark = pytest.mark.slow


def test_a_draw_from_a_real_block_is_verified_and_another_hash_is_not(tmp_path: Path) -> None:
    population = [hashlib.sha256(b"%d" % number).digest() for number in range(50)]
    path = tmp_path / "draw.json"
    with running_anvil() as url:
        rpc = JSONRPC([url])
        rpc.call("anvil_mine", "0xa")

        def hash_of(number: int) -> str:
            found: Any = rpc.call("eth_getBlockByNumber", hex(number), False)
            return str(found["hash"]).removeprefix("0x")

        announcement = described_announcement(population, 500) | {
            "chain_id": int(rpc.call("eth_chainId"), 16),
            "genesis_hash": hash_of(0),
            "final_number": 3,
            "final_hash": hash_of(3),
            "block_number": 8,
        }
        path.write_text(json.dumps(described_draw_of(announcement, population, hash_of(8))))
        answer = CliRunner().invoke(command, ["verify", str(path), "--rpc", url])
        assert answer.exit_code == 0, answer.output
        assert "2 blocks follow it" in answer.output
        path.write_text(json.dumps(described_draw_of(announcement, population, hash_of(7))))
        answer = CliRunner().invoke(command, ["verify", str(path), "--rpc", url])
        rpc.close()
    assert isinstance(answer.exception, SamplingError)
    assert "not the ledger's" in answer.exception.en
