"""``scripts/bench/anchoring.py`` measures: a small run to its end, without any bar of time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import anchoring
from tests.anvil import BINARY

ROOT = Path(__file__).resolve().parents[3]
SMALL = ("--only", "outbox,lodge", "--invoices", "2000", "--institutions", "2", "--lodges", "3")


@pytest.mark.slow
@pytest.mark.node
def test_small_run_ends_well_and_prints_a_line_a_measurement() -> None:
    """It asks the ledger itself whether every batch is there, once, and each lodge took effect."""
    if not BINARY.exists():
        pytest.skip("anvil is not installed: run npm ci in contracts/")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.anchoring", *SMALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.startswith("sqlite, ")
    assert [re.split(r"[:.]", line)[0] for line in lines[0::2]] == ["outbox", "lodge"]
    assert lines[0].startswith("outbox: 2,000 invoices in ")
    assert lines[2].startswith("lodge: 3 lodges, from commit to block: median ")
    assert [line.split(" at the end of ")[1] for line in lines[1::2]] == ["outbox", "lodge"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "outbox,speed"], "--only takes a list of outbox, bills, lodge, lag"),
        (["--only", ""], "--only takes a list of"),
        (["--invoices", "1999", "--institutions", "2"], "each institution needs a batch"),
        (["--institutions", "0"], "each institution needs a batch"),
        (["--lodges", "1"], "--lodges must be 2 to 1000"),
        (["--lodges", "1001"], "--lodges must be 2 to 1000"),
    ],
)
def test_a_run_that_would_measure_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        anchoring.main(arguments)
    assert message in capsys.readouterr().err
