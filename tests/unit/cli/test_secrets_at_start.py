"""``yichu serve`` and ``yichu worker`` start with every secret that they need, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.entrypoints.cli import serve, worker
from backend.settings import SettingsError

KEY = "11" * 32


@pytest.mark.parametrize("command", [serve.command, worker.command])
@pytest.mark.parametrize("name", ["network_key", "wrapping_key"])
@pytest.mark.parametrize("value", ["", "00", "no hex"])
def test_a_missing_or_short_secret_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: object, name: str, value: str
) -> None:
    monkeypatch.setenv("YICHU_VAR", str(tmp_path))
    monkeypatch.setenv("YICHU_KEYSTORE_PASSWORD", "password")
    for each in ("network_key", "wrapping_key", "session_key"):
        monkeypatch.setenv(f"YICHU_{each.upper()}", KEY)
    monkeypatch.setenv(f"YICHU_{name.upper()}", value)

    with pytest.raises(SettingsError, match=name):
        CliRunner().invoke(command, [], catch_exceptions=False)  # type: ignore[arg-type]
