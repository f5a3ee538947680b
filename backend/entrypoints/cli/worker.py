"""``yichu worker``: the anchoring and claims worker."""

from __future__ import annotations

import logging
import signal
import threading

import click

from backend.bootstrap import build_services


@click.command()
@click.option("--once", is_flag=True, help="Run every step once, then stop.")
def command(once: bool) -> None:
    """Form batches, sign and send, follow the ledger, move claims on.

    SIGTERM stops it after the current step. It can be killed at any moment and started again;
    a second one waits as a standby.
    """
    from backend.entrypoints.anchor_worker import Worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    services = build_services()
    # A missing secret is one plain message here, not a claim that never moves on.
    for name in ("network_key", "wrapping_key"):
        services.settings.secret(name)
    worker = Worker(services, stop)
    if once:
        worker.run_once()
    else:
        worker.run()
