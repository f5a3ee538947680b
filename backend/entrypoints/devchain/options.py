"""What a development ledger is made of, and what one run of it is told.

``ChainOptions`` are fixed when the ledger is made and kept with its state; a later start with a
contradicting option is refused. ``RunOptions`` hold for one run. Defaults are ganache 7's, but
for rules (Berlin) and gas price (0): this ledger stands in for a permissioned network, where
there is no base fee and gas is free.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from backend.entrypoints.devchain.accounts import choose_mnemonic, derive_accounts
from backend.entrypoints.devchain.errors import LedgerStartError
from backend.entrypoints.devchain.rules import DEFAULT_HARDFORK, normal_hardfork
from backend.entrypoints.devchain.store import SqliteStore

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8545
DEFAULT_CHAIN_ID = 1337
DEFAULT_ACCOUNTS = 10
DEFAULT_BALANCE_ETHER = 1000
DEFAULT_GAS_LIMIT = 30_000_000
#: Gas of an ``eth_sendTransaction`` that names none (ganache 7: 0x15f90).
DEFAULT_TRANSACTION_GAS = 90_000
WEI_PER_ETHER = 10**18
#: Gas of an ``eth_call`` that names none (ganache 7: miner.callGasLimit).
DEFAULT_CALL_GAS = 50_000_000
#: A replacement must pay at least so much more, in percent (ganache 7, geth).
DEFAULT_PRICE_BUMP = 10
FORMAT = "2"
#: Keys and phrase stood in the file; it is rewritten when it is opened.
FORMAT_WITH_KEYS = "1"


@dataclass(frozen=True, slots=True)
class ChainOptions:
    """Fixed at genesis. ``None`` means: not said; the stored value or the default holds."""

    chain_id: int | None = None
    network_id: int | None = None
    hardfork: str | None = None
    gas_limit: int | None = None
    accounts: int | None = None
    balance_ether: int | None = None
    mnemonic: str | None = None
    deterministic: bool = False
    seed: str | None = None
    genesis_time: int | None = None
    private_keys: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """For one run: gas price in wei, seconds between blocks (0: a block a transaction).

    With ``locked`` the ledger signs only for the ``unlocked`` accounts. ``verbose`` prints every
    request. ``default_gas`` and ``call_gas`` are for requests that name no gas.
    """

    gas_price: int = 0
    block_seconds: float = 0.0
    locked: bool = False
    unlocked: frozenset[bytes] = frozenset()
    default_gas: int = DEFAULT_TRANSACTION_GAS
    call_gas: int = DEFAULT_CALL_GAS
    price_bump: int = DEFAULT_PRICE_BUMP
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """The settings that a ledger was made with, as stored beside its state."""

    chain_id: int
    network_id: int
    hardfork: str
    gas_limit: int
    accounts: int
    balance_ether: int
    genesis_time: int


def new_settings(options: ChainOptions) -> ChainSettings:
    """The settings of a ledger that is made now.

    Raises :class:`LedgerStartError` for values out of range.
    """
    now = time.time()
    settings = ChainSettings(
        chain_id=_given(options.chain_id, DEFAULT_CHAIN_ID),
        # ganache 7: the network id is the time of creation, so that tools see another network.
        network_id=_given(options.network_id, int(now * 1000)),
        hardfork=normal_hardfork(options.hardfork or DEFAULT_HARDFORK),
        gas_limit=_given(options.gas_limit, DEFAULT_GAS_LIMIT),
        accounts=_given(options.accounts, DEFAULT_ACCOUNTS),
        balance_ether=_given(options.balance_ether, DEFAULT_BALANCE_ETHER),
        genesis_time=_given(options.genesis_time, int(now)),
    )
    _check_range("--chain-id", settings.chain_id, 1, 2**53 - 1)
    _check_range("--network-id", settings.network_id, 1, 2**53 - 1)
    # py-evm refuses a block limit below 5,000 (Yellow Paper 4.3.4).
    _check_range("--gas-limit", settings.gas_limit, 100_000, 2**53 - 1)
    _check_range("--default-balance-ether", settings.balance_ether, 0, 10**12)
    return settings


def load_settings(store: SqliteStore) -> ChainSettings | None:
    """The stored settings, or ``None`` for an empty folder."""
    form = store.setting("format")
    if form is None:
        return None
    if form not in (FORMAT, FORMAT_WITH_KEYS):
        raise LedgerStartError(
            f"此账本文件的格式为 {form},本程序只读格式 {FORMAT}。",
            f"This ledger was written in format {form}; this program reads format {FORMAT}.",
        )

    def number(name: str) -> int:
        return int(store.setting(name) or "0")

    return ChainSettings(
        chain_id=number("chain_id"),
        network_id=number("network_id"),
        hardfork=store.setting("hardfork") or DEFAULT_HARDFORK,
        gas_limit=number("gas_limit"),
        accounts=number("accounts"),
        balance_ether=number("balance_ether"),
        genesis_time=number("genesis_time"),
    )


def save_settings(store: SqliteStore, settings: ChainSettings) -> None:
    """Write the settings of a new ledger; the caller holds the transaction."""
    for name in ChainSettings.__slots__:
        store.set_setting(name, str(getattr(settings, name)))
    store.set_setting("format", FORMAT)


def check_against(
    stored: ChainSettings, first: bytes | None, options: ChainOptions, folder: Path | None
) -> None:
    """Refuse a start whose options contradict the ledger that the folder holds.

    ``first`` is the ledger's first account: the phrase is not kept, but it gives its accounts.
    """
    said: dict[str, tuple[object | None, object]] = {
        "--chain-id": (options.chain_id, stored.chain_id),
        "--network-id": (options.network_id, stored.network_id),
        "--hardfork": (
            options.hardfork and normal_hardfork(options.hardfork),
            stored.hardfork,
        ),
        "--gas-limit": (options.gas_limit, stored.gas_limit),
        "--accounts": (options.accounts, stored.accounts),
        "--default-balance-ether": (options.balance_ether, stored.balance_ether),
    }
    for name, (wanted, kept) in said.items():
        if wanted is not None and wanted != kept:
            raise LedgerStartError(
                f"{folder} 中的账本以 {name} {kept} 建立,不能改为 {wanted}。"
                "请去掉该选项,或用 --db 指定新的文件夹。",
                f"The ledger in {folder} was made with {name} {kept} and cannot become {wanted}. "
                "Leave the option out, or name a new folder with --db.",
            )
    if options.mnemonic is not None or options.deterministic or options.seed is not None:
        wanted_words = choose_mnemonic(options.mnemonic, options.deterministic, options.seed)
        if derive_accounts(wanted_words, 1)[0][0] != first:
            raise LedgerStartError(
                f"{folder} 中的账本已有另一组助记词。"
                "请去掉 --mnemonic、--deterministic 或 --seed。",
                f"The ledger in {folder} already has another mnemonic. "
                "Leave out --mnemonic, --deterministic and --seed.",
            )


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise LedgerStartError(
            f"{name} 必须在 {low} 到 {high} 之间,收到 {value}。",
            f"{name} must be between {low} and {high}; got {value}.",
        )
