"""The web on a world whose ledger and worker move when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from backend.entrypoints.web import create_app
from tests.integration.claims.world import World


@dataclass
class Site:
    """A world behind HTTP. ``world.run()`` is the worker; tests call it when they want."""

    world: World
    url: str


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = World.make(tmp_path)
    server = make_server("127.0.0.1", 0, create_app(world.services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(world, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()
