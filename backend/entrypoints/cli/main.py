"""The ``yichu`` command. Subcommands are imported when they are called, so that
``yichu --help`` and the small ones start at once."""

from __future__ import annotations

import importlib
import sys

import click

from backend.domain.errors import DomainError

_COMMANDS = {
    "contracts": "Deploy the contracts and set up the network's roles.",
    "db": "Create and migrate the database.",
    "devchain": "Run the development ledger (eth-tester behind JSON-RPC).",
    "dispute": "List and rule invoice-number disputes.",
    "export": "Export the evidence bundle of a claim.",
    "hospital": "Register institutions and issue API keys.",
    "policy": "Check policy packs and run an adjudication offline.",
    "review": "List pended claims; approve or refuse one.",
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
    """Run the command line; an expected error is one plain message and exit status 1."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("已取消 / cancelled", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except DomainError as error:
        click.echo(f"{error.zh}\n{error.en}\n[{error.code}]", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
