"""ganache 7's options that this ledger does not act on, and the spellings of those it acts on.

A script written for ganache-cli names what it needs. An option without a counterpart is therefore
not dropped in silence: it is accepted, and said to have no effect, where the script cannot notice
the difference; else it is refused with the reason, unless it asks for what holds here anyway.
docs/dev-ledger.md shows the same table to people; a test compares both with ``ganache --help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Foreign:
    """An option that is not acted on.

    ``accepted`` are the values (lower case) that change nothing here; ``None`` accepts all.
    ``why`` completes "no effect: ..." or "not offered here: ...".
    """

    spellings: tuple[str, ...]
    accepted: frozenset[str] | None
    why: str
    is_flag: bool = False


_NO_FORK = "a ledger of its own cannot go on from a live network"
FOREIGN: tuple[Foreign, ...] = (
    Foreign(
        ("--chain.asyncRequestProcessing",),
        None,
        "requests are always answered one at a time",
        is_flag=True,
    ),
    Foreign(("--logging.debug",), None, "opcodes are not logged", is_flag=True),
    Foreign(
        ("--wallet.passphrase", "--passphrase"), None, "accounts cannot be locked by passphrase"
    ),
    Foreign(("--server.wsBinary",), None, "there is no websocket server"),
    Foreign(("--server.chunkSize",), None, "an answer is sent whole"),
    Foreign(("--miner.difficulty",), None, "the difficulty is always 1, after the merge 0"),
    Foreign(
        ("--server.ws",),
        frozenset({"false"}),
        "there is no websocket server; use HTTP on the same port",
        is_flag=True,
    ),
    Foreign(("--server.rpcEndpoint",), frozenset({"/"}), "JSON-RPC is answered at every path"),
    Foreign(("--flavor",), frozenset({"ethereum"}), "only the Ethereum flavor is there"),
    Foreign(
        ("--miner.instamine", "--instamine"),
        frozenset({"eager"}),
        "a transaction is always in a block before its hash is returned",
    ),
    Foreign(
        ("--miner.timestampIncrement",),
        frozenset({"clock"}),
        "blocks carry the clock's time; move it with evm_increaseTime",
    ),
    Foreign(
        ("--miner.coinbase",),
        frozenset({"0x" + "00" * 20}),
        "blocks have no beneficiary: gas is free and there is no reward",
    ),
    Foreign(
        ("--miner.extraData",),
        frozenset({"0x"}),
        "the field tells blocks before and after a revert apart",
    ),
    Foreign(
        ("--wallet.hdPath",),
        frozenset({"m,44',60',0',0", "m/44'/60'/0'/0", "m/44'/60'/0'/0/"}),
        "accounts are derived at m/44'/60'/0'/0",
    ),
    Foreign(
        (
            "--chain.allowUnlimitedContractSize",
            "--allowUnlimitedContractSize",
            "--allow-unlimited-contract-size",
        ),
        frozenset({"false"}),
        "contracts over the limit of EIP-170 cannot be deployed elsewhere either",
        is_flag=True,
    ),
    Foreign(
        ("--chain.allowUnlimitedInitCodeSize",),
        frozenset({"false"}),
        "a transaction is at most 128 KB, as on a network",
        is_flag=True,
    ),
    Foreign(
        (
            "--chain.vmErrorsOnRPCResponse",
            "--vmErrorsOnRPCResponse",
            "--vm-errors-on-rpc-response",
        ),
        frozenset({"false"}),
        "a failed transaction is mined with status 0; read its receipt",
        is_flag=True,
    ),
    Foreign(
        ("--detach", "-D"),
        frozenset({"false"}),
        "start it in the background with & and stop it with kill",
        is_flag=True,
    ),
    Foreign(("--fork.url", "--fork", "-f"), frozenset(), _NO_FORK),
    *(
        Foreign((f"--fork.{name}",), frozenset(), _NO_FORK)
        for name in (
            "network",
            "blockNumber",
            "preLatestConfirmations",
            "username",
            "password",
            "jwt",
            "userAgent",
            "origin",
            "headers",
            "requestsPerSecond",
        )
    ),
    Foreign(("--fork.disableCache",), frozenset({"false"}), _NO_FORK, is_flag=True),
    Foreign(("--fork.deleteCache",), frozenset({"false"}), _NO_FORK, is_flag=True),
)
#: Options that act and take no value; ganache's parser also takes ``--flag true`` of them.
ACTING_FLAGS = frozenset(
    {
        "-d",
        "--deterministic",
        "--wallet.deterministic",
        "-n",
        "--lock",
        "--secure",
        "--wallet.lock",
        "-q",
        "--quiet",
        "--logging.quiet",
        "-v",
        "--verbose",
        "--logging.verbose",
    }
)
#: Options of which ganache's parser takes several values in a row.
_LISTS = frozenset(
    {"-u", "--unlock", "--wallet.unlockedAccounts", "--account", "--wallet.accounts"}
)
_TRUTHS = frozenset({"true", "false"})


def foreign_options(command: Any) -> Any:
    """Add ganache's options that are not acted on to a click command, hidden from its help."""
    for index, option in enumerate(FOREIGN):
        command = click.option(
            *option.spellings,
            f"foreign_{index}",
            hidden=True,
            expose_value=False,
            multiple=True,
            callback=_judge(option),
            help=option.why,
        )(command)
    return command


def _judge(option: Foreign) -> Any:
    def judge(ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> None:
        name = option.spellings[0]
        for value in values:
            if option.accepted is None:
                click.echo(f"{name}: 此处不起作用 / no effect here: {option.why}.", err=True)
            elif value.lower() not in option.accepted:
                raise click.UsageError(f"{name}: 不提供 / not offered here: {option.why}.", ctx=ctx)

    return judge


class GanacheCommand(click.Command):
    """A click command that reads its arguments as ganache's parser (yargs) does: ``--flag true``,
    ``--flag=false``, ``--no-flag``, and several values after one list option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, normal_arguments(args))


def normal_arguments(args: list[str]) -> list[str]:
    """The same arguments in the form that click takes."""
    foreign_flags = {name for option in FOREIGN if option.is_flag for name in option.spellings}
    result: list[str] = []
    rest = list(args)
    while rest:
        item = rest.pop(0)
        name, equals, value = item.partition("=")
        if name.startswith("--no-") and f"--{name[5:]}" in ACTING_FLAGS | foreign_flags:
            continue
        if name not in ACTING_FLAGS | foreign_flags | _LISTS:
            result.append(item)
            continue
        if not equals and name not in _LISTS:
            value = rest.pop(0) if rest and rest[0].lower() in _TRUTHS else "true"
        if name in _LISTS:
            values = [value] if equals else []
            while not equals and rest and not rest[0].startswith("-"):
                values.append(rest.pop(0))
            result += [part for one in values for part in (name, one)] or [name]
        elif name in foreign_flags:
            result += [name, value]
        elif value.lower() != "false":
            result.append(name)
    return result


class Number(click.ParamType[int]):
    """A whole number, decimal or 0x hex, at least ``low``."""

    name = "number"

    def __init__(self, low: int = 0) -> None:
        self._low = low

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails with one sentence."""
        if isinstance(value, int):
            return value
        try:
            number = int(value, 16 if value.lower().startswith("0x") else 10)
        except ValueError:
            self.fail(f"{value!r} 不是整数 / is not a whole number.", param, ctx)
        if number < self._low:
            self.fail(f"{number} 小于 / is below {self._low}.", param, ctx)
        return number


class StartTime(click.ParamType[int]):
    """ganache's ``--time``: a date (ISO 8601), or milliseconds since 1970. In seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Unix seconds; a date without a zone is UTC."""
        if isinstance(value, int):
            return value
        if value.isascii() and value.isdigit():
            return int(value) // 1000
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r}: 应为 ISO 日期或毫秒数 / expected an ISO date or milliseconds.",
                param,
                ctx,
            )
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
