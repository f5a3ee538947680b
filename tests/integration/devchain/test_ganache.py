"""ganache 7.9.2 and the development ledger side by side: options, defaults, accounts, ``evm_*``."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from backend.entrypoints.cli.devchain import command

from .conftest import ADDRESS0, ADDRESS1, ROOT, Ledger
from .test_conformance import table
from .test_persistence import free_port

pytestmark = [pytest.mark.slow, pytest.mark.node]
GANACHE = ROOT / "contracts" / "node_modules" / ".bin" / "ganache-cli"
OURS = ROOT / ".venv" / "bin" / "yichu-devchain"
PHRASE = "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat"
#: The defaults in which this ledger differs on purpose (docs/dev-ledger.md).
SAME_RULES = ("-k", "berlin", "-g", "0x0")


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not GANACHE.exists():
        pytest.skip("ganache is not installed: run npm ci in contracts/")


def our_command() -> list[str]:
    """The console script, or what it does where the project is not linked."""
    if OURS.exists():
        return [str(OURS)]
    return [sys.executable, "-m", "backend.entrypoints.cli.main", "devchain"]


@contextlib.contextmanager
def running(words: list[str], *options: str) -> Iterator[Ledger]:
    """Run a ledger command on a free port; it is ended on the way out."""
    port = free_port()
    process = subprocess.Popen(
        [*words, "-p", str(port), *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ledger = Ledger(f"http://127.0.0.1:{port}")
    try:
        for _ in range(600):
            assert process.poll() is None, process.communicate()[1]
            with contextlib.suppress(requests.ConnectionError):
                ledger.ask("eth_chainId")
                break
            time.sleep(0.05)
        yield ledger
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextlib.contextmanager
def both(*options: str) -> Iterator[tuple[Ledger, Ledger]]:
    with running([str(GANACHE)], *options) as theirs, running(our_command(), *options) as ours:
        yield theirs, ours


def test_every_option_of_ganache_is_on_the_page() -> None:
    """Each spelling that ``ganache --help`` names has one row, and what the row says is so."""
    page = {
        name: row[1] for row in table("Options") for name in row[0].split() if name.startswith("-")
    }
    done = subprocess.run(
        [str(GANACHE), "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    theirs = ganache_spellings(done.stdout)
    assert {"-p", "--port", "--server.port", "--acctKeys", "--fork.jwt"} <= theirs
    assert theirs == set(page)
    acting = {
        spelling for option in command.params if not option.hidden for spelling in option.opts
    }
    hidden = {spelling for option in command.params if option.hidden for spelling in option.opts}
    assert {name for name, support in page.items() if support == "acts"} <= acting
    assert {name for name, support in page.items() if support != "acts"} <= hidden


def ganache_spellings(text: str) -> set[str]:
    """Every option name in ganache's help: its own, its short one and its aliases."""
    found: set[str] = set()
    for line in text.splitlines():
        match = re.match(r"^ {2}(-\w, )? *(--[\w.]+)", line)
        if match:
            found |= {part.strip(" ,") for part in match.groups() if part}
        aliases = re.search(r"deprecated aliases: (--[^\[]+)", line)
        if aliases:
            found |= {part.strip() for part in aliases[1].split(",")}
    return found - {"--help", "--version", "--\N{SMILING FACE WITH HORNS}"}


def test_options_without_effect_say_so_and_the_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one of the options names a folder, which is made
    accepted, refused = 0, 0
    for row in table("Options"):
        for name in row[0].split():
            done = CliRunner().invoke(command, [f"{name}=77", "--hardfork", "no such rules"])
            text = done.output + str(done.exception)
            if row[1] == "no effect":
                assert "no effect here" in text, name
                assert "no such rules is not offered" in text, name
                accepted += 1
            elif row[1] == "refused":
                assert done.exit_code == 2 and "not offered here" in text, name
                refused += 1
    assert (accepted, refused) > (5, 20)


@pytest.mark.parametrize(
    "options",
    [
        ("-d",),
        ("--deterministic", "true", "--accounts", "3", "--defaultBalanceEther", "7"),
        ("-m", PHRASE, "-a", "2", "-e", "0"),
        ("--wallet.mnemonic=" + PHRASE, "--wallet.totalAccounts=12", "--chain.chainId=4242"),
        ("-d", "-i", "77", "-l", "0x7a1200", "-t", "2020-01-02T03:04:05Z"),
        ("-d", "--networkId", "77", "--gasLimit", "9000000", "--time", "1577934245000"),
        ("-d", "--lock=false", "--no-secure", "--server.ws=false", "--instamine", "eager"),
        ("--account", f"0x{1:064x},0x5", "--account", f"0x{2:064x},1000"),
        ("--wallet.accounts", f"0x{1:064x},0x5", f"0x{2:064x},1000", "-n", "-u", "1"),
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_options_have_the_same_effect(options: tuple[str, ...]) -> None:
    with both(*options, *SAME_RULES, "-q") as ledgers:
        theirs, ours = (state_of(ledger) for ledger in ledgers)
        if "-i" not in options and "--networkId" not in options:
            # The time of creation in milliseconds, with both.
            assert abs(int(theirs.pop("network")) - int(ours.pop("network"))) < 120_000
        if "-t" in options or "--time" in options:
            assert ours["time"] == theirs["time"] == 1577934245
            assert abs(ours.pop("next time") - theirs.pop("next time")) < 30
        else:
            assert abs(ours.pop("time") - theirs.pop("time")) < 60
            assert abs(ours.pop("next time") - theirs.pop("next time")) < 60
    assert ours == theirs


def state_of(ledger: Ledger) -> dict[str, Any]:
    """What options decide, as a client sees it."""
    genesis = ledger.ask("eth_getBlockByNumber", "earliest", False)
    accounts = ledger.ask("eth_accounts")
    send = [{"from": who, "to": ADDRESS1, "value": "0x0"} for who in accounts[:3]]
    signing = ["result" in ledger.rpc("eth_sendTransaction", fields) for fields in send]
    ledger.ask("evm_mine")
    return {
        "chain": ledger.ask("eth_chainId"),
        "network": ledger.ask("net_version"),
        "accounts": accounts,
        "balances": [ledger.ask("eth_getBalance", who, "latest") for who in accounts],
        "gas price": ledger.ask("eth_gasPrice"),
        "gas limit": genesis["gasLimit"],
        "time": int(genesis["timestamp"], 16),
        "next time": int(ledger.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16),
        "signs for": signing,
    }


def test_default_gas_price_block_time_and_keys() -> None:
    """Options whose defaults differ, given explicitly."""
    with both("-d", "-k", "berlin", "-g", "0x10", "-b", "4", "-q") as ledgers:
        for ledger in ledgers:
            assert ledger.ask("eth_gasPrice") == "0x10"
            sent = ledger.ask("eth_sendTransaction", {"from": ADDRESS0, "to": ADDRESS1})
            assert ledger.ask("eth_getTransactionReceipt", sent) is None
            receipt = wait_for(ledger, sent)
            assert receipt["effectiveGasPrice"] == "0x10"
            transaction = ledger.ask("eth_getTransactionByHash", sent)
            assert (transaction["gas"], transaction["value"]) == ("0x15f90", "0x0")


def wait_for(ledger: Ledger, sent: str) -> Any:
    for _ in range(300):
        receipt = ledger.ask("eth_getTransactionReceipt", sent)
        if receipt is not None:
            return receipt
        time.sleep(0.1)
    raise AssertionError("not mined")


#: Results of ganache's own methods; ``$n`` is the nth snapshot's id. "refused" is any error: the
#: two have their own codes.
EVM_STEPS: tuple[tuple[str, list[Any]], ...] = (
    ("evm_snapshot", []),
    ("evm_snapshot", []),
    ("evm_mine", []),
    ("evm_mine", [{"blocks": 3}]),
    ("evm_mine", [{"blocks": 0}]),
    ("eth_blockNumber", []),
    ("evm_mine", [2_000_000_000]),
    ("evm_mine", ["0x77359401"]),
    ("evm_mine", [{"timestamp": 2_000_000_100, "blocks": 2}]),
    ("eth_blockNumber", []),
    ("evm_revert", ["0x2"]),
    ("eth_blockNumber", []),
    ("evm_revert", ["0x2"]),
    ("evm_revert", ["0x9"]),
    ("evm_revert", []),
    ("evm_revert", [None]),
    ("evm_revert", ["1"]),
    ("evm_snapshot", []),
    ("evm_revert", [1]),
    ("evm_snapshot", []),
    ("evm_increaseTime", [100]),
    ("evm_increaseTime", ["0x64"]),
    ("evm_increaseTime", [-50]),
    ("evm_increaseTime", [1.5]),
    ("evm_increaseTime", []),
    ("evm_increaseTime", ["100"]),
    ("eth_blockNumber", []),
    ("miner_stop", []),
    ("eth_sendTransaction", [{"from": ADDRESS0, "to": ADDRESS1, "value": "0x1"}]),
    ("eth_blockNumber", []),
    ("miner_start", []),
    ("eth_blockNumber", []),
)


def test_evm_methods_have_the_same_results() -> None:
    with both("-d", *SAME_RULES, "-q") as (theirs, ours):
        for number, (method, params) in enumerate(EVM_STEPS):
            answers = [ledger.rpc(method, *params) for ledger in (theirs, ours)]
            left, right = ("refused" if "error" in a else a["result"] for a in answers)
            assert left == right, (number, method, params, answers)


def test_time_travel_has_the_same_effect() -> None:
    with both("-d", *SAME_RULES, "-q") as ledgers:
        seen = [list(times_of(ledger)) for ledger in ledgers]
    for theirs, ours in zip(*seen, strict=True):
        assert abs(theirs - ours) <= 20


def times_of(ledger: Ledger) -> Iterator[int]:
    """How far blocks are ahead of real time after each step, in seconds."""

    def ahead() -> int:
        latest = ledger.ask("eth_getBlockByNumber", "latest", False)
        return int(latest["timestamp"], 16) - int(time.time())

    snapshot = ledger.ask("evm_snapshot")
    for step in itertools.chain(
        [("evm_increaseTime", 5000), ("evm_mine",), ("evm_mine", 2_000_000_000), ("evm_mine",)],
        [
            ("evm_setTime", 2_100_000_000_000),
            ("evm_mine",),
            ("evm_increaseTime", 60),
            ("evm_mine",),
        ],
        [("evm_revert", snapshot), ("evm_mine",)],
    ):
        ledger.ask(*step)
        yield ahead()


def test_a_script_for_ganache_cli_runs_unchanged(tmp_path: Path) -> None:
    """The script's whole output is the same with the command replaced and nothing else."""
    outputs = []
    for name, words in (("ganache", [str(GANACHE)]), ("ours", our_command())):
        folder = tmp_path / name
        folder.mkdir()
        outputs.append(run_script(folder, words))
    assert outputs[0] == outputs[1]
    assert "revert True block 2" in outputs[0]


def run_script(folder: Path, words: list[str]) -> str:
    script = Path(__file__).with_name("ganache_script.sh")
    environment = {
        "PATH": os.environ["PATH"],
        "GANACHE": " ".join(words),
        "PYTHON": sys.executable,
        "PORT": str(free_port()),
        "FOLDER": str(folder),
    }
    done = subprocess.run(
        ["sh", str(script)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(*steps: tuple[Any, ...]) -> Callable[[Ledger], Any]:
    """The result of the last of these requests, or its error's code; "refused" without a code."""

    def ask(ledger: Ledger) -> Any:
        answer: dict[str, Any] = {}
        for method, *params in steps:
            answer = ledger.rpc(method, *params)
        return answer["error"].get("code", "refused") if "error" in answer else answer["result"]

    return ask


def has_base_fee(ledger: Ledger) -> bool:
    return "baseFeePerGas" in ledger.ask("eth_getBlockByNumber", "latest", False)


#: (what a client sees, with ganache, here) of each row of the page's table, without options.
DIFFERENCES: dict[str, tuple[Callable[[Ledger], Any], Any, Any]] = {
    "default rules": (has_base_fee, True, False),
    "default gas price": (asked(("eth_gasPrice",)), hex(2 * 10**9), "0x0"),
    "eth_maxPriorityFeePerGas": (asked(("eth_maxPriorityFeePerGas",)), hex(10**9), "0x0"),
    "evm_mine with a time before the last block's": (asked(("evm_mine", 5)), "0x0", -32000),
    "evm_mine with an unknown option": (asked(("evm_mine", {"block": 2})), "0x0", -32602),
    "an unknown method": (asked(("evm_nothing",)), -32700, -32601),
    "evm_setAccountNonce, evm_addAccount and their kin, personal_*": (
        asked(("evm_setAccountNonce", ADDRESS1, "0x5")),
        True,
        -32601,
    ),
}
#: Rows about the start, or about a result that depends on the clock: each has a test below.
ELSEWHERE = {
    "evm_setTime without a time",
    "-m with words that are no BIP-39 phrase",
    "-a 0",
}


def test_differences_from_ganache_are_those_of_the_page() -> None:
    assert {row[0] for row in table("Differences from ganache")} == set(DIFFERENCES) | ELSEWHERE
    with both("-d", "-q") as (theirs, ours):
        for what, (ask, reference, here) in DIFFERENCES.items():
            assert (what, ask(theirs), ask(ours)) == (what, reference, here)
        # Last: it sends ganache's clock back to 1970.
        assert theirs.ask("evm_setTime") < -1_000_000_000
        assert ours.refusal("evm_setTime")["code"] == -32602


def test_starts_that_ganache_takes_and_this_ledger_refuses() -> None:
    for options, accounts, message in (
        (("-m", "one two"), 10, "--mnemonic is not a valid BIP-39 phrase"),
        (("-d", "-a", "0"), 0, "--accounts must be between 1 and 100"),
    ):
        with running([str(GANACHE)], *options, "-q") as theirs:
            assert len(theirs.ask("eth_accounts")) == accounts
        done = subprocess.run(
            [*our_command(), *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert message in done.stderr
