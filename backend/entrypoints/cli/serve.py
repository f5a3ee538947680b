"""``yichu serve``: the web processes (gunicorn with threads)."""

from __future__ import annotations

from typing import Any

import click

from backend.settings import Settings

_GRACEFUL_SECONDS = 6
_REQUEST_SECONDS = 60


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Threads of each process.",
)
@click.option(
    "--forwarded-allow-ips",
    default="127.0.0.1,::1",
    show_default=True,
    help="Proxies whose X-Forwarded-Proto is believed.",
)
def command(host: str, port: int, workers: int, threads: int, forwarded_allow_ips: str) -> None:
    """Serve hospital API, citizen pages and QR checks.

    The processes hold no state, so any number may run behind a reverse proxy. No access log is
    written: paths name bills and claims.
    """
    # A missing secret is one plain message here, not a traceback of each worker.
    settings = Settings.from_environment()
    for name in ("network_key", "wrapping_key", "session_key"):
        settings.secret(name)
    _require_version(settings)
    _application(
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "timeout": _REQUEST_SECONDS,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "keepalive": 5,
            "accesslog": None,
            "errorlog": "-",
            "proc_name": "yichu-web",
            "forwarded_allow_ips": forwarded_allow_ips,
            # Its runtime control interface has no use here.
            "control_socket_disable": True,
        }
    ).run()


def _require_version(settings: Settings) -> None:
    """A database of another version is said at the start, not by every page."""
    from backend.adapters.database.engine import make_engine
    from backend.adapters.database.schema import require_version

    engine = make_engine(settings.database_url)
    try:
        require_version(engine)
    finally:
        engine.dispose()


def _application(options: dict[str, Any]) -> Any:
    """gunicorn's application object; it is imported here, since it patches on import."""
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

    class WebApplication(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
        """Our factory under gunicorn, with the options above."""

        def load_config(self) -> None:
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from backend.entrypoints.wsgi import application

            return application()

    return WebApplication()
