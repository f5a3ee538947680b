"""``python -m scripts.hospital_agent``: upload, anchor, correct, void; findings, answer, appeal."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from backend.domain.errors import DomainError
from backend.service_layer.intake.faults import InvalidInvoiceError
from scripts.hospital_agent import findings
from scripts.hospital_agent.agent import AgentError, HospitalAgent
from scripts.hospital_agent.checks import OfferRefusedError
from scripts.hospital_agent.files import (
    open_keystore,
    read_api_key,
    read_network,
    read_password,
)
from scripts.hospital_agent.store import AgentStore
from verifier.errors import VerificationError

_TYPES = {".json": "application/json", ".xml": "application/xml"}
_LOOK_EVERY_SECONDS = 0.5
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
@click.option("--url", envvar="YICHU_AGENT_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option(
    "--api-key-file",
    envvar="YICHU_AGENT_KEY_FILE",
    type=_FILE,
    required=True,
    help="File that holds the API key.",
)
@click.option(
    "--keystore",
    envvar="YICHU_AGENT_KEYSTORE",
    type=_FILE,
    help="Encrypted keystore of the hospital's ledger account (self-custody).",
)
@click.option(
    "--password-file",
    envvar="YICHU_AGENT_PASSWORD_FILE",
    type=_FILE,
    help="File that holds the keystore's password; without it the terminal asks.",
)
@click.option(
    "--network",
    envvar="YICHU_AGENT_NETWORK",
    type=_FILE,
    help="deployment.json from the network's operator: pins chain id and contract.",
)
@click.option(
    "--chain-id",
    type=click.IntRange(1),
    envvar="YICHU_AGENT_CHAIN_ID",
    help="Chain id, pinned, in place of --network's.",
)
@click.option(
    "--contract",
    envvar="YICHU_AGENT_CONTRACT",
    help="Address of the invoice ledger, pinned, in place of --network's.",
)
@click.option(
    "--store",
    "store_path",
    envvar="YICHU_AGENT_STORE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The agent's own store: secrets, fingerprints, invoice keys.  "
    "[default: agent.db beside the API key]",
)
@click.pass_context
def cli(  # noqa: PLR0917 - click passes options by name
    context: click.Context,
    url: str,
    api_key_file: Path,
    keystore: Path | None,
    password_file: Path | None,
    network: Path | None,
    chain_id: int | None,
    contract: str | None,
    store_path: Path | None,
) -> None:
    """The hospital's upload agent."""
    if network is not None:
        pinned = read_network(network)
        chain_id, contract = chain_id or pinned.chain_id, contract or pinned.contract
    context.obj = HospitalAgent(
        url,
        read_api_key(api_key_file),
        None if keystore is None else open_keystore(keystore, _password(password_file)),
        AgentStore(store_path or api_key_file.parent / "agent.db"),
        chain_id=chain_id,
        contract=contract,
    )


def _password(file: Path | None) -> str:
    """From a file or the terminal, never from an argument."""
    if file is not None:
        return read_password(file)
    asked: str = click.prompt("密钥库口令 / keystore password", hide_input=True)
    return asked


def _content_type(path: Path) -> str:
    found = _TYPES.get(path.suffix.lower())
    if found is None:
        raise click.UsageError(f"{path}：应为 .json 或 .xml / expected .json or .xml")
    return found


@cli.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.pass_obj
def upload(agent: HospitalAgent, files: tuple[Path, ...]) -> None:
    """Upload bills; safe to repeat."""
    for path in files:
        outcome = agent.upload(path.read_bytes(), _content_type(path))
        word = "已保存 / stored" if outcome.created else "已有 / was there"
        click.echo(f"{path.name}\t{outcome.invoice_id}\t{word}")


@cli.command()
@click.argument("invoice_id")
@click.argument("file", type=_FILE)
@click.option("--replaces", type=int, help="The present version; to go back to an earlier content.")
@click.pass_obj
def correct(agent: HospitalAgent, invoice_id: str, file: Path, replaces: int | None) -> None:
    """Upload corrected content of a bill."""
    outcome = agent.correct(invoice_id, file.read_bytes(), _content_type(file), replaces)
    click.echo(f"{outcome.invoice_id}\tversion {outcome.body['version']}")


@cli.command()
@click.argument("invoice_id")
@click.option("--reason", default="other", show_default=True)
@click.pass_obj
def void(agent: HospitalAgent, invoice_id: str, reason: str) -> None:
    """Void a bill, for ever."""
    click.echo(f"{invoice_id}\t{agent.void(invoice_id, reason)['state']}")


@cli.command()
@click.option("--watch", is_flag=True, help="Go on until stopped.")
@click.option(
    "--wait",
    type=click.IntRange(0, 3600),
    default=0,
    show_default=True,
    help="Seconds to wait for the first transaction: batches are made on a cadence.",
)
@click.pass_obj
def anchor(agent: HospitalAgent, watch: bool, wait: int) -> None:
    """Check and sign what waits for this hospital's signature."""
    if not agent.can_sign:
        raise click.UsageError("签名需要 --keystore / signing needs --keystore")
    deadline = time.monotonic() + wait
    signed = 0
    while True:
        tx_hash = agent.sign_next()
        if tx_hash is not None:
            signed += 1
            click.echo(f"{tx_hash}\t已签名 / signed")
        elif not watch and (signed or time.monotonic() >= deadline):
            break
        else:
            time.sleep(_LOOK_EVERY_SECONDS)
    if not signed:
        click.echo("没有等待签名的交易 / nothing waits for a signature")


cli.add_command(findings.findings)
cli.add_command(findings.answer)
cli.add_command(findings.appeal)


def main() -> None:
    """Run; an expected error is a plain message and exit status 1."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _stop("已取消 / cancelled")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InvalidInvoiceError as error:
        for fault in error.faults:
            click.echo(f"{fault.pointer}\t{fault.code}\t{fault.zh}\t{fault.en}", err=True)
        _stop("票据有错误，没有上传 / the bill has faults and was not uploaded")
    except DomainError as error:
        _stop(f"{error.zh}\n{error.en}")
    except AgentError as error:
        for entry in error.problem.get("errors", []):
            click.echo("\t".join(str(entry.get(n)) for n in ("pointer", "code", "zh")), err=True)
        _stop(str(error))
    except OfferRefusedError as error:
        _stop(f"没有签名：所给交易与本院资料不符 / not signed: {error}")
    except VerificationError as error:
        _stop(f"数据不合规范 / the data break the specification: {error}")
    except (OSError, sqlite3.Error) as error:
        _stop(f"文件无法读写 / a file cannot be read or written: {error}")
    except (LookupError, TypeError, ValueError) as error:
        _stop(
            f"后台的回答无法识别（{type(error).__name__}: {error}）/ "
            f"the backend's answer cannot be understood"
        )
    if isinstance(status, int):  # outside standalone mode click returns what Exit carries
        sys.exit(status)


def _stop(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
