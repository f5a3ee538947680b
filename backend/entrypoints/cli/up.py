"""``yichu up``: the embedded system, as ``make run`` starts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from backend.entrypoints.supervisor.children import Command
from backend.entrypoints.supervisor.embedded import EmbeddedSystem, Plan
from backend.entrypoints.supervisor.files import VarFolder
from backend.entrypoints.supervisor.network import (
    ANY_ADDRESS,
    LOOPBACK,
    LanAccess,
    lan_address,
)
from backend.settings import Settings

#: The project's folder: scripts/ is not installed, so children run from here.
ROOT = Path(__file__).resolve().parents[3]


_PAYOUT = {
    "YICHU_PAYOUT_EVERY_SECONDS": "20",
    "YICHU_INSTANT_BILL_FEN": "300000",
    "YICHU_INSTANT_PERSON_DAY_FEN": "600000",
    "YICHU_INSTANT_POOL_DAY_FEN": "50000000",
}


@click.command()
@click.option(
    "--port",
    "web_port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port of the web.",
)
@click.option(
    "--ledger-port",
    type=click.IntRange(1, 65535),
    default=8545,
    show_default=True,
    help="Port of the development ledger (always on loopback).",
)
@click.option(
    "--lan",
    is_flag=True,
    help="Open the web to the local network: QR code, one-time code, development cookie.",
)
@click.option("--no-sample", is_flag=True, help="Do not load the sample data.")
@click.option(
    "--fresh",
    is_flag=True,
    help="Set the ledger and the database aside (nothing is deleted) and begin anew.",
)
def command(web_port: int, ledger_port: int, lan: bool, no_sample: bool, fresh: bool) -> None:
    """Start the embedded system: ledger, database, worker, web.

    Everything is kept in YICHU_VAR (var/); the first start makes the secrets, deploys the
    contracts and loads the sample. Ctrl-C stops every process.
    """
    access = LanAccess.create(lan_address(), web_port) if lan else None
    environment = _environment(web_port, ledger_port, access)
    settings = Settings.from_environment(environment)
    var = VarFolder(settings.var_dir, settings.secrets_dir)
    var.prepare()
    with var.lock():
        plan = _plan(settings, environment, (web_port, ledger_port), access, not no_sample)
        click.echo("Yichu 一触 正在启动 / starting")
        EmbeddedSystem(plan, click.echo, is_fresh=fresh).run()


def _environment(web_port: int, ledger_port: int, access: LanAccess | None) -> dict[str, str]:
    """The children's environment: ours, with the addresses of this start."""
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["YICHU_RPC_URLS"] = f"http://{LOOPBACK}:{ledger_port}"
    environment.setdefault("YICHU_VAR", str(ROOT / "var"))
    for name in ("YICHU_VAR", "YICHU_SECRETS", "YICHU_KEYSTORES"):
        if environment.get(name):
            # Children run in the project's folder; a relative path means the caller's.
            environment[name] = str(Path(environment[name]).absolute())
    environment.setdefault(
        "YICHU_PUBLIC_URL", access.url if access else f"http://{LOOPBACK}:{web_port}"
    )
    # The embedded system's keys guard a sample: opening each at full strength takes a second.
    environment.setdefault("YICHU_KEYSTORE_SCRYPT", "cheap")
    # Its bank is simulated: nobody wants to wait until four o'clock to see a payment.
    for name, value in _PAYOUT.items():
        environment.setdefault(name, value)
    if access is not None:
        environment["YICHU_LAN"] = "1"
    else:
        environment.pop("YICHU_LAN", None)
    return environment


def _plan(
    settings: Settings,
    environment: dict[str, str],
    ports: tuple[int, int],
    access: LanAccess | None,
    with_sample: bool,
) -> Plan:
    web_port, ledger_port = ports
    var = VarFolder(settings.var_dir, settings.secrets_dir)
    web_host = ANY_ADDRESS if access else LOOPBACK
    local_url = f"http://{LOOPBACK}:{web_port}"

    def yichu(name: str, *arguments: str) -> Command:
        return Command(name, (sys.executable, "-m", "backend.entrypoints.cli.main", *arguments))

    return Plan(
        root=ROOT,
        var=var,
        environment=environment,
        ledger=yichu(
            "devchain", "devchain", "--quiet", "--port", str(ledger_port), "--db", str(var.ledger)
        ),
        migrate=yichu("db", "db", "migrate"),
        deploy=yichu("contracts", "contracts", "deploy"),
        worker=yichu("worker", "worker"),
        web=yichu("web", "serve", "--host", web_host, "--port", str(web_port)),
        sample=Command(
            "sample",
            (sys.executable, "-m", "scripts.sample_data", "load", "--base-url", local_url),
        )
        if with_sample
        else None,
        ledger_url=settings.rpc_urls[0],
        ledger_port=ledger_port,
        web_host=web_host,
        web_port=web_port,
        web_url=local_url,
        lan=access,
    )
