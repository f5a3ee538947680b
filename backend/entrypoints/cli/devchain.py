"""``yichu devchain``: the development ledger on the command line, with ganache's options."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import click

from backend.entrypoints.devchain.errors import LedgerStartError
from backend.entrypoints.devchain.options import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    WEI_PER_ETHER,
    ChainOptions,
    RunOptions,
)

_REFUSED = {
    "--fork": "forking a live network",
    "--unlock": "unlocking addresses without their keys",
    "--allow-unlimited-contract-size": "contracts over the limit of EIP-170",
    "--vm-errors-on-rpc-response": "errors in place of hashes of failed transactions",
}


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        name = param.opts[0]
        raise click.UsageError(f"{name}: 不提供 / not offered here ({_REFUSED[name]}).", ctx=ctx)


def _refused_options(command: Any) -> Any:
    """ganache's options that have no counterpart: known by name, refused with the reason."""
    names = {
        "--fork": ("--fork", "--fork.url", "-f"),
        "--unlock": ("--unlock", "--wallet.unlockedAccounts", "-u"),
        "--allow-unlimited-contract-size": (
            "--allow-unlimited-contract-size",
            "--allowUnlimitedContractSize",
            "--chain.allowUnlimitedContractSize",
        ),
        "--vm-errors-on-rpc-response": (
            "--vm-errors-on-rpc-response",
            "--chain.vmErrorsOnRPCResponse",
        ),
    }
    for index, (name, spellings) in enumerate(names.items()):
        flag = index >= 2
        command = click.option(
            *spellings,
            f"refused_{index}",
            hidden=True,
            expose_value=False,
            callback=_refuse,
            is_flag=flag,
            help=_REFUSED[name],
        )(command)
    return command


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


@click.command()
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
    type=int,
    help="Accounts to make.  [10]",
)
@click.option(
    "--default-balance-ether",
    "-e",
    "--defaultBalanceEther",
    "--wallet.defaultBalance",
    "balance",
    type=int,
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
    "--chain-id", "--chainId", "--chain.chainId", "chain_id", type=int, help="Chain id.  [1337]"
)
@click.option(
    "--network-id",
    "-i",
    "--networkId",
    "--chain.networkId",
    "network_id",
    type=int,
    help="Network id.  [time of creation, in ms]",
)
@click.option(
    "--hardfork",
    "-k",
    "--chain.hardfork",
    "hardfork",
    help="Rules: istanbul, muirGlacier, berlin, london, arrowGlacier, grayGlacier, "
    "merge, shanghai.  [berlin]",
)
@click.option(
    "--gas-limit",
    "-l",
    "--gasLimit",
    "--miner.blockGasLimit",
    "gas_limit",
    type=int,
    help="Gas of a block.  [30000000]",
)
@click.option(
    "--gas-price",
    "-g",
    "--gasPrice",
    "--miner.defaultGasPrice",
    "gas_price",
    type=click.IntRange(0),
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
    type=click.IntRange(1),
    help="Time of the first block in Unix seconds.  [now]",
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
@_refused_options
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
) -> None:
    """Run the development ledger: eth-tester behind JSON-RPC, with ganache's options.

    Fork, chain id, accounts, blocks and snapshots are kept in the --db folder; the next start
    goes on with the same chain and refuses options that contradict it. A block is on disk before
    its transaction is answered.

    Errors: refusals are code -32000 with geth's texts (nonce too low, already known, invalid
    chain id, insufficient funds ...); a revert is ganache 7's: code -32000, "VM Exception while
    processing transaction: revert ...", the revert data in hex in error.data.
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
    engine = Engine(folder, options, RunOptions(gas_price, block_time, locked))
    try:
        server = LedgerServer(engine, host, port)
    except LedgerStartError:
        engine.close()
        raise
    _stop_on_signals(server)
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


def _print_start(engine: Any, folder: Path | None, host: str, port: int) -> None:
    from eth_utils import to_checksum_address

    settings = engine.settings
    click.echo("Yichu development ledger / 开发链 (eth-tester)\n")
    if engine.created:
        click.echo("Accounts / 账户")
        for index, (address, key) in enumerate(engine.accounts):
            state = engine.head_state()
            ether = state.get_balance(address) // WEI_PER_ETHER
            click.echo(f"({index}) {to_checksum_address(address)} ({ether} ETH)  0x{key.hex()}")
        click.echo(f"Mnemonic / 助记词: {settings.mnemonic}\n")
    head = engine.chain.get_canonical_head().block_number
    kept = str(folder) if folder else "memory / 内存"
    click.echo(
        f"Chain id {settings.chain_id}, hardfork {settings.hardfork}, block {head}, state in {kept}"
    )
    click.echo(f"RPC Listening on {host}:{port}")
