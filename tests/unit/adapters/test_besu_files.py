"""The files of docs/besu against what this version needs of a network."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import rlp

from backend.adapters.ledger.qbft import quorum
from backend.service_layer.anchoring.groups import GAS_MAX

FOLDER = Path(__file__).parents[3] / "docs" / "besu"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def test_genesis_has_berlin_rules_no_base_fee_and_room_for_a_batch() -> None:
    genesis = read("genesis.json")
    forks = {name for name in genesis["config"] if name.endswith(("Block", "Time"))}
    assert forks == {"berlinBlock"}
    assert genesis["config"]["berlinBlock"] == 0
    assert int(genesis["gasLimit"], 16) >= GAS_MAX * 3 // 2
    assert "emptyblockperiodseconds" not in genesis["config"]["qbft"]


def test_genesis_lists_four_validators_and_bears_the_loss_of_one() -> None:
    extra = rlp.decode(bytes.fromhex(read("genesis.json")["extraData"][2:]))
    vanity, validators, vote, number, seals = extra
    assert [len(vanity), vote, number, seals] == [32, [], b"", []]
    assert [len(account) for account in validators] == [20] * 4
    assert quorum(len(validators)) == 3


def test_the_example_is_what_besu_makes_of_the_configuration() -> None:
    made, example = read("qbft-config.json"), read("genesis.json")
    assert made["blockchain"]["nodes"]["count"] == len(read("static-nodes.json")) == 4
    example.pop("extraData")
    assert made["genesis"] == example


def test_nodes_take_transactions_at_price_zero_and_open_nothing_else() -> None:
    config = tomllib.loads((FOLDER / "config.toml").read_text("utf-8"))
    assert config["min-gas-price"] == 0
    assert "tx-pool-price-bump" not in config
    assert config["target-gas-limit"] == int(read("genesis.json")["gasLimit"], 16)
    assert set(config["rpc-http-api"]) == {"ETH", "NET", "WEB3", "QBFT", "TXPOOL"}
    assert config["rpc-http-host"] == "127.0.0.1"
    assert config["discovery-enabled"] is False
    assert config["data-storage-format"] == "FOREST"


def test_peers_that_are_dialled_are_the_ones_that_are_allowed() -> None:
    permissions = tomllib.loads((FOLDER / "permissions.toml").read_text("utf-8"))
    assert permissions["nodes-allowlist"] == read("static-nodes.json")
