"""The example client of docs/second-payers.md pays a bill over HTTP, or says why it cannot."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from scripts.insurer import cli
from tests.integration.second_payers.desk import INSURER, KEYS, LEFT_FEN, TERMS, Desk


class Shop:
    """An insurer at its own machine, over a real connection; the worker is at work meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.keyfile = folder / "insurer.json"
        self.keyfile.write_text(json.dumps({"api_key": KEYS[INSURER], "policy_hash": TERMS}))
        self.server = make_server("127.0.0.1", 0, self.desk.app, threaded=True)
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self.server.serve_forever, daemon=True),
            threading.Thread(target=self._work),
        ]
        for thread in self.threads:
            thread.start()

    def _work(self) -> None:
        while not self.stop.wait(0.02):
            self.desk.go()

    def run(self, *words: str) -> Result:
        url = f"http://127.0.0.1:{self.server.server_port}"
        return CliRunner().invoke(cli, ["--key-file", str(self.keyfile), "--url", url, *words])

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        for thread in self.threads:
            thread.join()
        self.server.server_close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_the_example_lists_shows_and_pays_and_again_changes_nothing(shop: Shop) -> None:
    closed, bill = shop.desk.settled_bill(), shop.desk.settled_bill()
    shop.desk.consent(bill, ("header", "decision"))
    assert bill in shop.run("consents").output
    assert '"total_fen": 300000' in shop.run("bill", bill).output
    first, again = shop.run("pay", bill), shop.run("pay", bill)
    assert first.exit_code == 0, first.output
    assert "settled: settle done" in first.output
    # 80 % of 1,380.00 is 1,104.00.
    assert json.loads(first.output.splitlines()[1]) == {
        "own_fen": LEFT_FEN, "percent": 80, "amount_fen": 110_400, "settled_fen": 110_400
    }  # fmt: skip
    assert again.output == first.output
    assert shop.desk.left_fen(bill) == LEFT_FEN - 110_400
    refused = shop.run("pay", closed)
    assert refused.exit_code == 1
    assert "not-found: 没有这份票据或申请" in refused.output
