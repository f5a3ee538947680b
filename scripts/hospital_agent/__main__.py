"""``python -m scripts.hospital_agent``: upload, anchor, correct, void."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from pathlib import Path

import click
from eth_account import Account

from backend.service_layer.intake.faults import InvalidInvoiceError
from scripts.hospital_agent.agent import AgentError, HospitalAgent
from scripts.hospital_agent.checks import OfferRefusedError
from scripts.hospital_agent.store import AgentStore

_TYPES = {".json": "application/json", ".xml": "application/xml"}


@click.group()
@click.option("--url", envvar="YICHU_AGENT_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option(
    "--api-key-file",
    envvar="YICHU_AGENT_KEY_FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="File that holds the API key.",
)
@click.option(
    "--keystore",
    type=click.Path(path_type=Path),
    help="Encrypted keystore of the hospital's ledger account (self-custody).",
)
@click.option(
    "--chain-id",
    type=int,
    envvar="YICHU_AGENT_CHAIN_ID",
    help="Chain id, pinned; from the network's operator.",
)
@click.option(
    "--contract",
    envvar="YICHU_AGENT_CONTRACT",
    help="Address of the invoice ledger, pinned; from the network's operator.",
)
@click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path),
    default=Path("hospital-agent.db"),
    show_default=True,
    help="The agent's own store: secrets, fingerprints, invoice keys.",
)
@click.pass_context
def cli(  # noqa: PLR0917 - click passes options by name
    context: click.Context,
    url: str,
    api_key_file: Path,
    keystore: Path | None,
    chain_id: int | None,
    contract: str | None,
    store_path: Path,
) -> None:
    """The hospital's upload agent."""
    context.obj = HospitalAgent(
        url,
        api_key_file.read_text().strip(),
        None if keystore is None else _open_keystore(keystore),
        AgentStore(store_path),
        chain_id=chain_id,
        contract=contract,
    )  # fmt: skip


def _open_keystore(path: Path) -> bytes:
    """The private key; the password comes from a file or the terminal, never from an argument."""
    password_file = os.environ.get("YICHU_AGENT_PASSWORD_FILE")
    if password_file:
        password = Path(password_file).read_text().strip()
    else:
        password = getpass.getpass("keystore password: ")
    return bytes(Account.decrypt(json.loads(path.read_text()), password))


def _content_type(path: Path) -> str:
    found = _TYPES.get(path.suffix.lower())
    if found is None:
        raise click.UsageError(f"{path}: expected .json or .xml")
    return found


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.pass_obj
def upload(agent: HospitalAgent, files: tuple[Path, ...]) -> None:
    """Upload bills; safe to repeat."""
    for path in files:
        outcome = agent.upload(path.read_bytes(), _content_type(path))
        word = "stored" if outcome.created else "was there"
        click.echo(f"{path.name}\t{outcome.invoice_id}\t{word}")


@cli.command()
@click.argument("invoice_id")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.pass_obj
def correct(agent: HospitalAgent, invoice_id: str, file: Path) -> None:
    """Upload corrected content of a bill."""
    outcome = agent.correct(invoice_id, file.read_bytes(), _content_type(file))
    click.echo(f"{outcome.invoice_id}\tversion {outcome.body['version']}")


@cli.command()
@click.argument("invoice_id")
@click.option("--reason", default="other", show_default=True)
@click.pass_obj
def void(agent: HospitalAgent, invoice_id: str, reason: str) -> None:
    """Void a bill, for ever."""
    click.echo(f"{invoice_id}\t{agent.void(invoice_id, reason)['state']}")


@cli.command()
@click.option("--watch", is_flag=True, help="Go on, looking every second.")
@click.pass_obj
def anchor(agent: HospitalAgent, watch: bool) -> None:
    """Check and sign what waits for this hospital's signature."""
    while True:
        tx_hash = agent.sign_next()
        if tx_hash is not None:
            click.echo(tx_hash)
        elif not watch:
            return
        time.sleep(1)


def main() -> None:
    """Run; an expected error is a plain message and exit status 1."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InvalidInvoiceError as error:
        for fault in error.faults:
            click.echo(f"{fault.pointer}\t{fault.code}\t{fault.zh}\t{fault.en}", err=True)
        sys.exit(1)
    except AgentError as error:
        click.echo(str(error), err=True)
        for entry in error.problem.get("errors", []):
            click.echo(f"{entry['pointer']}\t{entry['code']}\t{entry['zh']}", err=True)
        sys.exit(1)
    except OfferRefusedError as error:
        click.echo(f"not signed: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
