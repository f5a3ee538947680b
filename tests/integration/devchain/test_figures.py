"""What the development ledger promises in figures: restart, logs, and death in the middle.

The bars hold on a quiet machine: judged is the processor time of the one process that works, which
other load does not change much; both times are printed (``pytest -rP``).
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import ADDRESS0, ADDRESS1, Command, Ledger, OpenLedger
from .test_persistence import StartCommand, cpu_seconds, start_command

__all__ = ["start_command"]
pytestmark = pytest.mark.slow
KILLS = 24
TOPIC = f"0x{0x77:064x}"


def test_restart_with_10_000_empty_blocks(tmp_path: Path, start_command: StartCommand) -> None:
    """Under 3 s from the command to the first answer."""
    first = start_command(tmp_path / "ledger", "-q", "-d")
    began = time.monotonic()
    requests.post(
        first.ledger.url,
        json={"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": [{"blocks": 10_000}]},
        timeout=200,
    )
    mined = time.monotonic() - began
    head = first.ledger.ask("eth_getBlockByNumber", "latest", False)
    assert head["number"] == hex(10_000)
    first.process.terminate()
    assert first.process.wait(20) == 0
    again = start_command(tmp_path / "ledger", "-q")
    seconds = cpu_seconds(again.process.pid)
    print(
        f"10,000 empty blocks mined in {mined:.1f} s; started again in {again.started_in:.2f} s, "
        f"{seconds:.2f} s of processor time"
    )
    assert again.ledger.ask("eth_getBlockByNumber", "latest", False) == head
    assert seconds < 3


def test_logs_over_1_000_one_transaction_blocks(open_ledger: OpenLedger) -> None:
    """Under 1 s for all of them, by address and topic, and by topic alone."""
    ledger = open_ledger()
    address = ledger.deploy_probe()
    for nonce in range(1, 1001):
        ledger.ask("eth_sendRawTransaction", ledger.sign(nonce, to=address, value=0, gas=90_000))
    seconds = []
    queries: tuple[dict[str, Any], ...] = (
        {"fromBlock": "0x0", "address": address},
        {"fromBlock": "0x0", "topics": [TOPIC]},
        {"fromBlock": "0x0"},
    )
    for query in queries:
        began, worked = time.monotonic(), time.process_time()
        logs = ledger.ask("eth_getLogs", query)
        # The ledger is a thread of this process, and nothing else works in it meanwhile.
        seconds.append(time.process_time() - worked)
        print(f"eth_getLogs over 1,001 blocks: {time.monotonic() - began:.2f} s,", end=" ")
        print(f"{seconds[-1]:.2f} s of processor time")
        assert [int(log["blockNumber"], 16) for log in logs] == list(range(2, 1002))
    one = ledger.ask("eth_getLogs", {"fromBlock": "0x0", "topics": [None, f"0x{500:064x}"]})
    assert [log["blockNumber"] for log in one] == [hex(500)]
    assert max(seconds) < 1


def test_killed_at_random_moments_it_comes_back_at_the_last_whole_block(
    tmp_path: Path, start_command: StartCommand
) -> None:
    """SIGKILL at 24 seeded moments while blocks are made: what was answered is there, what is
    there is whole, and the state is that of the transactions on the chain."""
    moments = random.Random(20261122)
    answered: list[str] = []
    restarts: list[float] = []
    cut_off = 0
    for _ in range(KILLS):
        running = start_command(tmp_path / "ledger", "-q", "-d")
        restarts.append(running.started_in)
        found = check_whole(running.ledger, answered)
        cut_off += found > len(answered)
        # What was on disk but not answered counts as answered from now on.
        answered = transactions_of(running.ledger, found)
        send_until_killed(running, answered, moments.uniform(0.05, 0.6))
    final = start_command(tmp_path / "ledger", "-q", "-d").ledger
    check_whole(final, answered)
    final.ask("evm_mine", {"blocks": 5})
    print(
        f"{KILLS} kills, {len(answered)} transactions, {cut_off} mined and cut off before the "
        f"answer, slowest start {max(restarts):.2f} s"
    )
    assert len(answered) > KILLS


def send_until_killed(running: Command, answered: list[str], seconds: float) -> None:
    """Send one transaction after the other and kill the process in the middle."""
    ledger = running.ledger
    timer = threading.Timer(seconds, running.process.kill)
    timer.start()
    nonce = ledger.nonce() if running.process.poll() is None else 0
    try:
        while True:
            answered.append(ledger.ask("eth_sendRawTransaction", ledger.sign(nonce)))
            nonce += 1
    except requests.RequestException:
        running.process.wait(10)
    timer.join()


def transactions_of(ledger: Ledger, blocks: int) -> list[str]:
    found: list[str] = []
    for number in range(1, blocks + 1):
        found += ledger.ask("eth_getBlockByNumber", hex(number), False)["transactions"]
    return found


def check_whole(ledger: Ledger, answered: list[str]) -> int:
    """Chain, index, receipts and state agree; returns the height."""
    height = int(ledger.ask("eth_blockNumber"), 16)
    assert len(answered) <= height <= len(answered) + 1
    parent = ledger.ask("eth_getBlockByNumber", "0x0", False)["hash"]
    for number in range(1, height + 1):
        block = ledger.ask("eth_getBlockByNumber", hex(number), False)
        assert block["parentHash"] == parent
        parent = block["hash"]
        assert len(block["transactions"]) == 1
        receipt = ledger.ask("eth_getTransactionReceipt", block["transactions"][0])
        assert (receipt["blockHash"], receipt["status"]) == (parent, "0x1")
    assert transactions_of(ledger, height)[: len(answered)] == answered
    assert ledger.ask("eth_getBlockByNumber", hex(height + 1), False) is None
    # Each transfers one wei at gas price zero.
    assert ledger.nonce() == height
    moved = 10**21 - int(ledger.ask("eth_getBalance", ADDRESS0, "latest"), 16)
    received = int(ledger.ask("eth_getBalance", ADDRESS1, "latest"), 16) - 10**21
    assert (moved, received) == (height, height)
    proof = ledger.ask("eth_getProof", ADDRESS0, [], "latest")
    assert int(proof["nonce"], 16) == height
    assert ledger.ask("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    return height
