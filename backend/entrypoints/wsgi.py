"""The WSGI application. Nothing happens on import; gunicorn calls the factory:

gunicorn 'backend.entrypoints.wsgi:application()'
"""

from __future__ import annotations

from flask import Flask

from backend.bootstrap import build_services
from backend.entrypoints.web import create_app

_LEDGER_TIMEOUT_SECONDS = 2


def application() -> Flask:
    """The web application with the services that the environment names."""
    services = build_services()
    services.ledger_timeout_seconds = _LEDGER_TIMEOUT_SECONDS
    return create_app(services)
