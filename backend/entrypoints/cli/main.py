"""The ``yichu`` command. Subcommands are imported when they are called, so that
``yichu --help`` and the small ones start at once."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path

import click

from backend.domain.errors import DomainError

_COMMANDS = {
    "accident": "Accident claims: show, declare at the window, correct the kind, exclude.",
    "claim": "Show the versions of a claim, replay decisions, withdraw for a citizen.",
    "clearing": "Clear a year: run, confirm, the yearly statement per hospital.",
    "contracts": "Deploy the contracts and set up the network's roles.",
    "db": "Create and migrate the database.",
    "devchain": "Run the development ledger (eth-tester behind JSON-RPC).",
    "dispute": "List and rule invoice-number disputes.",
    "export": "Export the evidence bundle of a claim.",
    "fund": "Record money that comes into the funds; what they have, owe and have free.",
    "hospital": "Register institutions and issue API keys.",
    "journal": "The journal of money: accounts, entries, trial balance, check.",
    "lead": "Leads of supervision: evidence, findings, appeals, recovery, points.",
    "money": "The three tables (have, owe, paid); close a month.",
    "outside": "Bills from outside: take in, type, check, confirm.",
    "payee": "Payee accounts: show, name, cancel; guardians, contacts, notices.",
    "payer": "Second payers: register insurers, issue API keys, publish their terms.",
    "payout": "Payments: what is owed, runs, files, the bank's messages, holds.",
    "policy": "Check policy packs and run an adjudication offline.",
    "reconcile": "对账 / reconcile bills, ledger, journal and bank; adopt after a restored backup.",
    "recovery": "Money owed back: decide, plan, receive, waive.",
    "register": "Show and record what the simulated insurance register knows of a person.",
    "review": "Review cases: list, draw, preview, rule, approve, refuse; staff.",
    "rules": "Audit rules: list, try over history, switch by two people.",
    "sample": "Samples for post-audit: announce, draw, publish, verify.",
    "serve": "Run the web processes (gunicorn).",
    "up": "Start the embedded system: ledger, database, worker, web.",
    "worker": "Run the anchoring and claims worker.",
}


class LazyGroup(click.Group):
    """A click group whose subcommands live in ``backend.entrypoints.cli.<name>.command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"backend.entrypoints.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=LazyGroup)
@click.version_option(package_name="yichu")
def cli() -> None:
    """一触: medical e-invoices anchored, claimed with one touch, verified by anyone."""


def main() -> None:
    """Run the command line; an error is one plain message and exit status 1, never a traceback."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("已取消 / cancelled", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DomainError as error:
        click.echo(f"{error.zh}\n{error.en}\n[{error.code}]", err=True)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  # the last handler: nobody else would say it plainly
        _tell(error)
        sys.exit(1)
    if isinstance(status, int):  # outside standalone mode click returns what Exit carries
        sys.exit(status)


def _tell(error: Exception) -> None:
    """One plain message, what to do next, and for our own mistakes a traceback in the log."""
    from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

    if os.environ.get("YICHU_DEBUG", "") == "1":
        click.echo("".join(traceback.format_exception(error)), err=True)
    folder = Path(os.environ.get("YICHU_VAR", "var")).absolute()
    if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
        fault = _version_fault()
        if fault is not None:
            click.echo(f"{fault.zh}\n{fault.en}\n[{fault.code}]", err=True)
            return
        zh = (
            "数据库无法使用：连接不上，或其中还没有表。请运行 yichu db migrate，"
            f"并检查 YICHU_VAR（现为 {folder}）和 YICHU_DATABASE_URL"
        )
        en = (
            "the database cannot be used: it does not answer or has no tables yet. "
            f"Run `yichu db migrate`, and check YICHU_VAR (now {folder}) and YICHU_DATABASE_URL"
        )
        click.echo(f"{zh}\n{en}\n[database-unusable]", err=True)
    elif isinstance(error, OSError):
        what = f"{error.filename or ''}: {error.strerror or type(error).__name__}".lstrip(": ")
        click.echo(f"文件或网络无法读写：{what}\nfile or network error: {what}", err=True)
    else:
        where = _log(error, folder / "log" / "yichu.log")
        click.echo(
            f"程序出错（{type(error).__name__}）。{where[0]}\n"
            f"the program failed ({type(error).__name__}). {where[1]}",
            err=True,
        )


def _version_fault() -> DomainError | None:
    """Whether the database is only of another version; None where that cannot be seen."""
    from sqlalchemy.exc import DBAPIError

    from backend.adapters.database.schema import version_fault
    from backend.bootstrap import build_services

    try:
        return version_fault(build_services().engine)
    except (DomainError, DBAPIError, OSError):
        return None


def _log(error: Exception, path: Path) -> tuple[str, str]:
    """Append the traceback to the log, readable by its owner only; says where it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as log:
            log.write("".join(traceback.format_exception(error)))
    except OSError:
        return "设 YICHU_DEBUG=1 再运行可看详情", "Run it again with YICHU_DEBUG=1 to see more"
    return f"详情见 {path}", f"The details are in {path}"


if __name__ == "__main__":
    main()
