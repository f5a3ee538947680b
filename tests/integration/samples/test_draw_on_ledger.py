"""A draw over the real contracts: announced, anchored by the worker, drawn, and repeated by anybody
with a node. A database that lost the anchor takes it from the ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.adapters.ledger.agency import register_agency
from backend.adapters.ledger.network import Network
from backend.domain.sampling import SamplingError
from backend.entrypoints.cli.sample import command
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.options import ChainOptions, RunOptions
from backend.entrypoints.devchain.server import LedgerServer
from backend.service_layer.supervision.sampling import (
    NotAnchoredError,
    NotFinalError,
    announce,
    draw,
    published,
)
from tests.integration.anchoring.test_restored_backup import (
    finish,
    reconcile,
    refuse_to_start,
    reopened,
    say_go,
)
from tests.kill.town import Town, back_up, build_town

pytestmark = pytest.mark.slow


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """The town with the agency as an issuer and one claim that the machine approved."""
    engine = Engine(None, ChainOptions(deterministic=True), RunOptions())
    server = LedgerServer(engine, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        town = build_town(f"http://127.0.0.1:{server.server_address[1]}", tmp_path)
        announced(town)
        yield town
        town.close()
    finally:
        server.stop()
        thread.join()
        engine.close()


def announced(town: Town) -> None:
    services = town.services
    register_agency(services, Network(services), "A330800", "示例市医保中心")
    person = town.person()
    town.submit(person, town.upload(town.bill(person, 1, 2_000)))
    finish(town)
    assert announce(services, by="周审") is not None


def grow(town: Town, blocks: int) -> None:
    for _ in range(blocks):
        town.services.ledger.rpc.call("evm_mine")


def verify(town: Town, record: dict[str, Any], folder: Path, *options: str) -> Any:
    path = folder / "draw.json"
    path.write_text(json.dumps(record))
    return CliRunner().invoke(command, ["verify", str(path), "--rpc", town.url, *options])


def test_a_draw_is_repeated_with_a_node_and_another_one_is_refused(
    town: Town, tmp_path: Path
) -> None:
    with pytest.raises(NotAnchoredError):
        draw(town.services, 1)
    finish(town)
    assert len(town.event_keys("Anchored")) == 2  # the hospital's bill, the agency's announcement
    with pytest.raises(NotFinalError, match="is not final yet"):
        draw(town.services, 1)
    grow(town, 25)
    drawn = draw(town.services, 1)
    record = json.loads(json.dumps(published(town.services, 1)))
    anchor = record["anchor"]
    assert anchor["block_number"] < drawn.block_number == record["draw"]["block_number"]
    contract = town.services.ledger.deployment().invoice_ledger
    answer = verify(town, record, tmp_path, "--contract", contract)
    assert answer.exit_code == 0, answer.output
    assert f"was on the ledger in block {anchor['block_number']}" in answer.output
    for name, value in (
        ("tx_hash", "11" * 32),
        ("block_hash", "11" * 32),
        ("contract", "11" * 20),
        ("block_number", anchor["block_number"] - 1),
    ):
        changed = json.loads(json.dumps(record))
        changed["anchor"][name] = value
        refused = verify(town, changed, tmp_path)
        assert isinstance(refused.exception, SamplingError), name


def test_a_restored_database_takes_the_anchor_from_the_ledger(town: Town, tmp_path: Path) -> None:
    back_up(town.folder, tmp_path / "backup.db")
    finish(town)
    anchored = published(town.services, 1)["anchor"]
    again = reopened(town, tmp_path / "backup.db")
    refuse_to_start(again)
    done = reconcile(again)
    assert "the announcement of a draw" in done.output
    say_go(again)
    done = reconcile(again)
    assert done.exit_code == 0, done.output
    finish(again)
    assert again.alarms() == set()
    assert published(again.services, 1)["anchor"] == anchored
    assert len(again.event_keys("Anchored")) == 2  # it is not anchored a second time
    grow(again, 25)
    draw(again.services, 1)
    assert verify(again, published(again.services, 1), tmp_path).exit_code == 0
    again.close()
