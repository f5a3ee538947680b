"""``yichu worker``: the anchoring and claims worker."""

from __future__ import annotations

import logging
import signal
import threading

import click

from backend.bootstrap import build_services

#: Exit status when the chain is ahead of the database: `yichu reconcile` comes first.
EXIT_BEHIND = 5


@click.command()
@click.option("--once", is_flag=True, help="Run every step once, then stop.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="Seconds to wait at the start for a first ledger node to answer.",
)
def command(once: bool, wait: float) -> None:
    """Form batches, sign and send, follow the ledger, move claims on.

    It does not start with a wrong network, other contracts, a keystore that does not open or an
    account without its role, and says what to do. Exit status 5: the ledger is ahead of the
    database; run yichu reconcile.

    SIGTERM stops it after the current step. It can be killed at any moment and started again;
    a second one waits as a standby.
    """
    from backend.adapters.database.schema import require_version
    from backend.adapters.ledger.preflight import require_ready
    from backend.entrypoints.anchor_worker import Worker
    from backend.service_layer.anchoring.behind import DatabaseBehindChainError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    services = build_services()
    # A missing secret is one plain message here, not a claim that never moves on.
    for name in ("network_key", "wrapping_key"):
        services.settings.secret(name)
    require_version(services.engine)
    require_ready(services, wait)
    worker = Worker(services, stop)
    try:
        if once:
            worker.run_once()
        else:
            worker.run()
    except DatabaseBehindChainError as error:
        click.echo(f"{error.zh}\n{error.en}\n[{error.code}]", err=True)
        raise click.exceptions.Exit(EXIT_BEHIND) from error
