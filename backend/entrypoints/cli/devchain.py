"""``yichu devchain``: the development ledger on the command line, with ganache's options."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from backend.entrypoints.devchain.errors import LedgerStartError
from backend.entrypoints.devchain.ganache_options import (
    GanacheCommand,
    Number,
    StartTime,
    foreign_options,
)
from backend.entrypoints.devchain.options import (
    DEFAULT_CALL_GAS,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_PRICE_BUMP,
    DEFAULT_TRANSACTION_GAS,
    WEI_PER_ETHER,
    ChainOptions,
    RunOptions,
)


def _account(text: str) -> tuple[bytes, int]:
    """``0x<private key>,<wei>`` as ganache's ``--account`` takes it."""
    key, _, wei = text.partition(",")
    try:
        raw = bytes.fromhex(key.removeprefix("0x"))
        balance = int(wei, 0)
    except ValueError:
        raw, balance = b"", -1
    if len(raw) != 32 or balance < 0:
        raise click.BadParameter(
            "expected 0x<64 hex digits>,<balance in wei>", param_hint="--account"
        )
    return raw, balance


@click.command(cls=GanacheCommand)
@click.option(
    "--host",
    "-h",
    "--hostname",
    "--server.host",
    "host",
    default=DEFAULT_HOST,
    show_default=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    "-p",
    "--server.port",
    "port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--accounts",
    "-a",
    "--total-accounts",
    "--wallet.totalAccounts",
    "accounts",
    type=Number(),
    help="Accounts to make.  [10]",
)
@click.option(
    "--default-balance-ether",
    "-e",
    "--defaultBalanceEther",
    "--wallet.defaultBalance",
    "balance",
    type=Number(),
    help="Ether of each.  [1000]",
)
@click.option(
    "--mnemonic",
    "-m",
    "--wallet.mnemonic",
    "mnemonic",
    help="BIP-39 phrase of the accounts.  [random, kept with the state]",
)
@click.option(
    "--deterministic",
    "-d",
    "--wallet.deterministic",
    "deterministic",
    is_flag=True,
    help="The well-known ganache phrase (first account 0x90F8bf6A...).",
)
@click.option(
    "--seed",
    "-s",
    "--wallet.seed",
    "seed",
    help="Make the phrase from this text (not the phrase that ganache would make).",
)
@click.option(
    "--account",
    "--wallet.accounts",
    "named",
    multiple=True,
    help="0x<private key>,<wei>; repeatable; instead of the phrase's accounts.",
)
@click.option(
    "--lock",
    "-n",
    "--secure",
    "--wallet.lock",
    "locked",
    is_flag=True,
    help="Do not sign for the accounts (eth_sendTransaction is refused).",
)
@click.option(
    "--chain-id",
    "--chainId",
    "--chain.chainId",
    "chain_id",
    type=Number(),
    help="Chain id.  [1337]",
)
@click.option(
    "--network-id",
    "-i",
    "--networkId",
    "--chain.networkId",
    "network_id",
    type=Number(),
    help="Network id.  [time of creation, in ms]",
)
@click.option(
    "--hardfork",
    "-k",
    "--chain.hardfork",
    "hardfork",
    help="Rules: byzantium, constantinople, petersburg, istanbul, muirGlacier, berlin, london, "
    "arrowGlacier, grayGlacier, merge, shanghai.  [berlin]",
)
@click.option(
    "--gas-limit",
    "-l",
    "--gasLimit",
    "--miner.blockGasLimit",
    "gas_limit",
    type=Number(),
    help="Gas of a block.  [30000000]",
)
@click.option(
    "--gas-price",
    "-g",
    "--gasPrice",
    "--miner.defaultGasPrice",
    "gas_price",
    type=Number(),
    default=0,
    show_default=True,
    help="Price in wei that eth_gasPrice proposes.",
)
@click.option(
    "--block-time",
    "-b",
    "--blockTime",
    "--miner.blockTime",
    "block_time",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds between blocks; 0 mines each transaction at once.",
)
@click.option(
    "--time",
    "-t",
    "--chain.time",
    "genesis_time",
    type=StartTime(),
    help="Time of the first block: an ISO date, or milliseconds since 1970.  [now]",
)
@click.option(
    "--db",
    "--db_path",
    "--dbPath",
    "--database.dbPath",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep the ledger in; without it, it is gone at the end.",
)
@click.option("--quiet", "-q", "--logging.quiet", "quiet", is_flag=True, help="Print nothing.")
@click.option(
    "--verbose", "-v", "--logging.verbose", "verbose", is_flag=True, help="Print every request."
)
@click.option(
    "--logging.file",
    "log_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append what is printed to this file instead.",
)
@click.option(
    "--unlock",
    "-u",
    "--wallet.unlockedAccounts",
    "unlocked",
    multiple=True,
    help="With --lock: sign for this account all the same; an index or an address, repeatable.",
)
@click.option(
    "--acctKeys",
    "--account_keys_path",
    "--wallet.accountKeysPath",
    "keys_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write addresses and private keys to this file (JSON, for tests).",
)
@click.option(
    "--miner.defaultTransactionGasLimit",
    "default_gas",
    type=Number(),
    default=DEFAULT_TRANSACTION_GAS,
    show_default=True,
    help="Gas of an eth_sendTransaction that names none.",
)
@click.option(
    "--miner.callGasLimit",
    "call_gas",
    type=Number(),
    default=DEFAULT_CALL_GAS,
    show_default=True,
    help="Gas of an eth_call that names none.",
)
@click.option(
    "--miner.priceBump",
    "price_bump",
    type=Number(),
    default=DEFAULT_PRICE_BUMP,
    show_default=True,
    help="By how many percent a replacement must pay more.",
)
@foreign_options
def command(  # noqa: PLR0917  # click passes every option by name
    host: str,
    port: int,
    accounts: int | None,
    balance: int | None,
    mnemonic: str | None,
    deterministic: bool,
    seed: str | None,
    named: tuple[str, ...],
    locked: bool,
    chain_id: int | None,
    network_id: int | None,
    hardfork: str | None,
    gas_limit: int | None,
    gas_price: int,
    block_time: float,
    genesis_time: int | None,
    folder: Path | None,
    quiet: bool,
    verbose: bool,
    log_file: Path | None,
    unlocked: tuple[str, ...],
    keys_file: Path | None,
    default_gas: int,
    call_gas: int,
    price_bump: int,
) -> None:
    """Run the development ledger: eth-tester behind JSON-RPC, with ganache's options.

    Fork, chain id, accounts, blocks and snapshots are kept in the --db folder; the next start
    goes on with the same chain and refuses options that contradict it. A block is on disk before
    its transaction is answered. Private keys are kept in encrypted keystores in that folder; the
    password is YICHU_KEYSTORE_PASSWORD or the folder's file keystore_password.

    ganache's other options are accepted where they change nothing, else refused with the reason.
    docs/dev-ledger.md lists all of them, and where the answers differ from ganache's and anvil's.
    """
    # py-evm takes most of a second to import; --help need not wait for it.
    from backend.entrypoints.devchain.engine import Engine
    from backend.entrypoints.devchain.server import LedgerServer

    if sum((mnemonic is not None, deterministic, seed is not None)) > 1:
        raise click.UsageError("--mnemonic, --deterministic 与 --seed 只能选一个 / choose one.")
    options = ChainOptions(
        chain_id=chain_id,
        network_id=network_id,
        hardfork=hardfork,
        gas_limit=gas_limit,
        accounts=accounts,
        balance_ether=balance,
        mnemonic=mnemonic,
        deterministic=deterministic,
        seed=seed,
        genesis_time=genesis_time,
        private_keys=tuple(_account(text) for text in named),
    )
    run = RunOptions(
        gas_price=gas_price,
        block_seconds=block_time,
        locked=locked,
        default_gas=default_gas,
        call_gas=call_gas,
        price_bump=price_bump,
        verbose=verbose and not quiet,
    )
    engine = Engine(folder, options, run)
    try:
        engine.unlock(unlocked)
        server = LedgerServer(engine, host, port)
    except LedgerStartError:
        engine.close()
        raise
    _stop_on_signals(server)
    with contextlib.ExitStack() as stack:
        if log_file is not None:
            log_file.touch(mode=0o600)  # what is printed at the start holds private keys
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(log_file.open("a"))))
        if keys_file is not None:
            _write_keys(engine, keys_file)
        if not quiet:
            _print_start(engine, folder, host, server.server_address[1])
        server.serve()
        engine.close()


def _stop_on_signals(server: Any) -> None:
    def stop(_number: int, _frame: Any) -> None:
        # shutdown() waits for serve_forever(), which this thread is in.
        threading.Thread(target=server.stop).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _write_keys(engine: Any, path: Path) -> None:
    """ganache's ``--wallet.accountKeysPath``: the unlocked addresses and their private keys."""
    wallet = engine.wallet
    keys = {
        "0x" + who.hex(): "0x" + wallet.key(who).hex()
        for who in wallet.addresses
        if engine.is_unlocked(who)
    }
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump({"addresses": {who: who for who in keys}, "private_keys": keys}, file)


def _print_start(engine: Any, folder: Path | None, host: str, port: int) -> None:
    """What ganache prints, in its form, since scripts read it. Keys and phrase only of a ledger
    that was made now: of a stored one they stay in the keystores."""
    from eth_utils import to_checksum_address

    settings = engine.settings
    click.echo("Yichu development ledger / 开发链 (eth-tester)\n")
    if engine.created:
        state = engine.head_state()
        click.echo("Available Accounts\n==================")
        for index, address in enumerate(engine.wallet.addresses):
            ether = state.get_balance(address) // WEI_PER_ETHER
            lock = "" if engine.is_unlocked(address) else " 🔒"
            click.echo(f"({index}) {to_checksum_address(address)} ({ether} ETH){lock}")
        click.echo("\nPrivate Keys\n==================")
        for index, address in enumerate(engine.wallet.addresses):
            click.echo(f"({index}) 0x{engine.wallet.key(address).hex()}")
        click.echo("\nHD Wallet\n==================")
        click.echo(f"Mnemonic:      {engine.mnemonic}")
        click.echo("Base HD Path:  m/44'/60'/0'/0/{account_index}\n")
    head = engine.chain.get_canonical_head().block_number
    kept = str(folder) if folder else "memory / 内存"
    click.echo(f"Chain\n==================\nHardfork: {settings.hardfork}")
    click.echo(f"Id:       {settings.chain_id}\n\nBlock {head}, state in {kept}\n")
    click.echo(f"RPC Listening on {host}:{port}")
    sys.stdout.flush()


def main() -> None:
    """``yichu-devchain``: the command under one word, for tools that take ganache-cli's path."""
    from backend.entrypoints.cli.main import main as run

    sys.argv.insert(1, "devchain")
    run()
