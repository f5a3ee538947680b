"""``yichu accident``: the window declares for a citizen and is named; bad input changes nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import bootstrap
from backend.domain.accident import DeclarationError
from backend.entrypoints.cli.accident import command
from backend.service_layer.handling.accident_answers import UnknownCodeError
from tests.integration.claims.test_accident import claim_of
from tests.integration.claims.world import World

WORDS = (
    "--on", "2026-11-02", "--place", "home", "--manner", "fall", "--story", "下楼踩空",
    "--third-party", "no", "--at-work", "no", "--traffic", "no",
)  # fmt: skip


def test_the_window_declares_corrects_and_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path)
    monkeypatch.setattr(bootstrap, "build_services", lambda: world.services)
    claim = claim_of(world)

    def run(*args: str) -> Result:
        return CliRunner().invoke(command, list(args))

    unsigned = run("declare", claim.number, "--by", "窗口王工", *WORDS)
    assert isinstance(unsigned.exception, DeclarationError)
    assert "我承诺" in unsigned.exception.zh
    done = run("declare", claim.number, "--by", "窗口王工", "--signed", *WORDS)
    assert (done.exit_code, "第 1 份" in done.output) == (0, True)
    assert "窗口王工 承诺书 1" in run("show", claim.number).output
    assert run("kind", claim.number, "ordinary", "--by", "甲", "--reason", "旧伤").exit_code == 0
    assert world.claim(claim.id).kind == "ordinary"
    assert run("kind", claim.number, "newborn", "--by", "甲", "--reason", "x").exit_code == 2


def test_the_window_enters_an_excuse_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path)
    monkeypatch.setattr(bootstrap, "build_services", lambda: world.services)
    claim = claim_of(world, day=dt.date(2025, 9, 1), diagnosis="I10")
    world.run()

    def excuse(*args: str) -> Result:
        return CliRunner().invoke(command, ["excuse", claim.number, "--by", "窗口王工", *args])

    assert isinstance(excuse("--code", "asleep").exception, DeclarationError)
    assert isinstance(excuse("--code", "").exception, UnknownCodeError)
    assert isinstance(excuse("--code", "other-proof").exception, DeclarationError)
    assert "第 1 份" in excuse("--code", "illness", "--text", "住院").output
    assert "late #1" in CliRunner().invoke(command, ["show", claim.number]).output
