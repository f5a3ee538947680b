"""The command: exit statuses, the report's words, and that nothing of ours or others' is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verifier
from tests.reference import evidence
from tests.reference.evidence import Story
from tests.reference.simulated_node import SimulatedNode
from verifier import cli
from verifier.errors import MalformedError

STORY = Story()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bundle, trust = tmp_path / "bundle.json", tmp_path / "trust.json"
    bundle.write_bytes(evidence.text(STORY.bundle()))
    trust.write_bytes(evidence.text(STORY.trust()))
    return bundle, trust


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> SimulatedNode:
    simulated = STORY.node()
    monkeypatch.setattr(cli, "HTTPTransport", lambda url: simulated)
    return simulated


def run(files: tuple[Path, Path], *more: str) -> int:
    return cli.main([str(files[0]), "--trust", str(files[1]), *more])


BELIEVE = ("--rpc", "http://127.0.0.1:8545", "--believe-node")


def test_verified_is_0_and_says_that_the_node_was_believed(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, *BELIEVE) == 0
    out = capsys.readouterr().out
    numbers = [line.split()[0] for line in out.splitlines()[:22]]
    assert numbers == [str(number) for number in range(1, 23)]
    assert out.count(" OK ") == 22
    assert "核验通过 / VERIFIED" in out
    assert "the node was believed" in out
    assert "anchored with a key held by the institution" in out
    assert f"as of block {len(node.blocks) - 1}, 2026-" in out


def test_custodial_anchor_is_called_so(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    log = node.registry_logs[0]
    log["data"] = log["data"][:-1] + "2"
    bundle = STORY.bundle()
    bundle["anchor"]["custody"] = "custodial"
    files[0].write_bytes(evidence.text(bundle))
    assert run(files, *BELIEVE) == 0
    assert "anchored with a key held by the operator" in capsys.readouterr().out


def test_refuted_is_1_and_names_the_check(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = STORY.bundle()
    bundle["batch"]["leaf_index"] = 1
    files[0].write_bytes(evidence.text(bundle))
    assert run(files, *BELIEVE) == 1
    out = capsys.readouterr().out
    assert " 6  不符 FAIL  在批次之中 inclusion in the batch: inclusion proof leads" in out
    assert "核验不通过：证据与事实矛盾 / REFUTED" in out


@pytest.mark.parametrize("more", [(), ("--rpc", "http://127.0.0.1:8545")])
def test_no_believed_node_is_3_and_nothing_is_asked(
    more: tuple[str, ...],
    files: tuple[Path, Path],
    node: SimulatedNode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(files, *more) == 3
    out = capsys.readouterr().out
    assert "尚不能判定 / UNDECIDED" in out
    assert "no node was believed" in out
    assert "so the bundle says; the ledger has not shown it" in out
    assert node.calls == []


def test_unreachable_node_is_3(files: tuple[Path, Path], node: SimulatedNode) -> None:
    node.unreachable = True
    assert run(files, *BELIEVE) == 3


@pytest.mark.parametrize("which", [0, 1])
def test_unreadable_input_is_2(
    which: int, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[which].write_bytes(b'{"format":')
    assert run(files) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "无法读取 / MALFORMED: text is not JSON" in captured.err
    files[which].unlink()
    assert run(files) == 2
    assert "cannot be opened" in capsys.readouterr().err


def test_oversized_bundle_is_2(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[0].write_bytes(b" " * (16 * 2**20 + 1))
    assert run(files) == 2
    assert "the limit is 16777216" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--believe-node",), ("--rpc", "ftp://node", "--believe-node")])
def test_wrong_use_is_2(more: tuple[str, ...], files: tuple[Path, Path]) -> None:
    assert run(files, *more) == 2


@pytest.mark.parametrize("arguments", [[], ["bundle.json"], ["--unknown"]])
def test_missing_arguments_are_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_json_report_holds_every_check(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, *BELIEVE, "--json") == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "verified"
    assert report["exit_status"] == 0
    assert report["node_believed"] is True
    assert report["custody"] == "self-custody"
    assert report["as_of_block"]["number"] == len(node.blocks) - 1
    assert [check["number"] for check in report["checks"]] == list(range(1, 23))
    assert {check["status"] for check in report["checks"]} == {"OK"}


def test_json_report_of_unreadable_and_undecided_input(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, "--json") == 3
    assert json.loads(capsys.readouterr().out)["as_of_block"] is None
    files[0].write_bytes(b"[]")
    assert run(files, "--json") == 2
    assert json.loads(capsys.readouterr().out) == {
        "verdict": "malformed",
        "exit_status": 2,
        "reason": "bundle is not an object",
        "checks": [],
    }


def test_not_checked_is_said_in_the_verdict(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = STORY.trust()
    del trust["network_key"]
    files[1].write_bytes(evidence.text(trust))
    assert run(files, *BELIEVE) == 0
    out = capsys.readouterr().out
    assert " 5  未查 NOT CHECKED  票据键 invoice key" in out
    assert "check 5 was not made: invoice key" in out


def test_voided_since_and_odd_block_time_are_printed(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.slots[STORY.key] |= 2 << 184
    node.mine()["timestamp"] = hex(2**70)
    assert run(files, *BELIEVE) == 0
    out = capsys.readouterr().out
    assert "该票据现已作废 / the bill is void by now" in out
    assert f"{2**70} s" in out


def test_own_failure_is_never_a_success(
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(cli, "verify_bundle", broken)
    assert run(files) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the verifier failed; nothing was decided" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err
    assert run(files, "--debug") == 3
    captured = capsys.readouterr()
    assert "RuntimeError: broken" in captured.err
    assert "the verifier failed; nothing was decided" in captured.err


def test_report_shows_no_disclosed_text(
    files: tuple[Path, Path], node: SimulatedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = STORY.bundle()
    for entry in bundle["invoice"]["leaves"]:
        if entry["path"] == "/payer_name":
            entry["value"] = "样本乙"
    files[0].write_bytes(evidence.text(bundle))
    assert run(files, *BELIEVE) == 1
    out = capsys.readouterr().out
    for text in ("样本甲", "样本乙", "阿莫西林", evidence.NETWORK_KEY.hex()):
        assert text not in out


# alone ---------------------------------------------------------------------------------------

RUN_ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
del sys.argv[1]
from verifier.cli import main
status = main()
foreign = sorted(
    name for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", "") or "") or name == "backend"
)
assert foreign == [], foreign
raise SystemExit(status)
"""


def test_verifier_alone_needs_nothing_but_the_standard_library(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    assert verifier.__file__ is not None
    shutil.copytree(
        Path(verifier.__file__).parent,
        alone / "verifier",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    outside = tmp_path / "outside"
    outside.mkdir()
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", RUN_ALONE, str(alone)]
    result = subprocess.run(
        [*command, str(files[0]), "--trust", str(files[1])],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=outside,
        check=False,
    )
    assert (result.returncode, result.stderr) == (3, "")
    assert result.stdout.count(" OK ") == 12
    bundle = STORY.bundle()
    bundle["policy"]["text"] = "{}"
    files[0].write_bytes(evidence.text(bundle))
    tampered = subprocess.run(
        [*command, str(files[0]), "--trust", str(files[1])],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=outside,
        check=False,
    )
    assert tampered.returncode == 1


def test_every_module_of_the_verifier_imports_alone(tmp_path: Path) -> None:
    """Lazy imports and importlib hide from the import checker, not from this."""
    assert verifier.__file__ is not None
    source = Path(verifier.__file__).parent
    shutil.copytree(source, tmp_path / "verifier", ignore=shutil.ignore_patterns("__pycache__"))
    names = [
        ".".join(path.relative_to(source.parent).with_suffix("").parts)
        for path in sorted(source.rglob("*.py"))
        if path.name != "__init__.py"
    ]
    script = (
        f"import sys, importlib; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", script], check=True, cwd=tmp_path)


def test_main_module_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    monkeypatch.setattr(sys, "argv", ["yichu-verify"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("verifier", run_name="__main__")
    assert caught.value.code == 2


def test_errors_of_the_command_are_of_the_one_root() -> None:
    with pytest.raises(MalformedError, match="cannot be opened"):
        cli._read(Path("/nonexistent/bundle.json"), 10, "bundle")
