"""``yichu export`` writes a file that only its owner reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.entrypoints.cli import export


def test_the_bundle_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: None)
    monkeypatch.setattr(
        "backend.service_layer.evidence.collect.export_claim", lambda *_: {"payer_name": "测试甲"}
    )
    target = tmp_path / "bundle.json"

    answer = CliRunner().invoke(
        export.command, ["2026 0001-01", "-o", str(target)], catch_exceptions=False
    )

    assert answer.exit_code == 0
    assert target.read_text(encoding="utf-8") == '{\n "payer_name": "测试甲"\n}\n'
    assert target.stat().st_mode & 0o777 == 0o600
