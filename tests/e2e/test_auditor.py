"""The auditor: a paid claim's bundle is verified; every altered one is refuted, naming the check."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import System
from tests.e2e.tampering import ALTERATIONS, Alteration, altered
from verifier.cli import main as verify

VERIFIED, REFUTED, MALFORMED, UNDECIDED = 0, 1, 2, 3
SAMPLED_CHARACTERS = 150


@dataclass
class Auditor:
    """What an auditor has: a folder, a trust file of their own, a node's address."""

    folder: Path
    rpc: str
    trust: dict[str, Any]

    def judge(
        self,
        bundle: dict[str, Any] | bytes,
        *options: str,
        trust: dict[str, Any] | None = None,
        rpc: str | None = None,
    ) -> int:
        """The exit status of ``yichu-verify``, run in this process."""
        raw = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        (self.folder / "bundle.json").write_bytes(raw)
        (self.folder / "trust.json").write_text(json.dumps(trust or self.trust))
        chosen = options or ("--believe-node",)
        arguments = [
            str(self.folder / "bundle.json"), "--trust", str(self.folder / "trust.json"),
            "--rpc", rpc or self.rpc, *chosen,
        ]  # fmt: skip
        return verify(arguments)


@pytest.fixture
def auditor(paid: System, tmp_path: Path) -> Iterator[Auditor]:
    yield Auditor(tmp_path, paid.rpc_url, paid.trust_file())


@pytest.fixture(scope="module")
def bundle(paid: System) -> dict[str, Any]:
    return paid.exported()


def _checks(output: str) -> dict[int, str]:
    return {check["number"]: check["status"] for check in json.loads(output)["checks"]}


def test_exported_bundle_is_verified_by_the_installed_command(
    bundle: dict[str, Any], auditor: Auditor, tmp_path: Path
) -> None:
    assert auditor.judge(bundle) == VERIFIED
    done = subprocess.run(
        [
            sys.executable, "-m", "verifier.cli", str(tmp_path / "bundle.json"),
            "--trust", str(tmp_path / "trust.json"), "--rpc", auditor.rpc, "--believe-node",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == VERIFIED, done.stdout + done.stderr
    assert len([line for line in done.stdout.splitlines() if "OK" in line]) >= 17
    assert "node" in done.stdout  # the verdict says that the node was believed


@pytest.mark.parametrize(
    ("alteration", "check"), ALTERATIONS, ids=[change.__name__ for change, _ in ALTERATIONS]
)
def test_altered_bundle_is_refuted_and_names_the_check(
    bundle: dict[str, Any],
    auditor: Auditor,
    alteration: Alteration,
    check: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = auditor.judge(altered(bundle, alteration), "--believe-node", "--json")
    found = _checks(capsys.readouterr().out)
    assert status == REFUTED
    assert found[check] == "FAIL", found


def test_altered_bundle_is_refuted_without_a_node_too(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    change = ALTERATIONS[0][0]
    path = auditor.folder
    auditor.judge(altered(bundle, change))
    arguments = [str(path / "bundle.json"), "--trust", str(path / "trust.json")]
    assert verify(arguments) == REFUTED


def _values(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every disclosed value that is a text, with its place in the bundle."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _values(value, (*path, index))


def test_any_character_of_a_disclosed_value_replaced_is_refuted(
    bundle: dict[str, Any], auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each character is replaced by another valid one of its kind: digit, hex digit or letter."""
    choose = random.Random(20261122)
    disclosed = [
        (path, text)
        for part in ("invoice", "decision", "policy")
        for path, text in _values(bundle[part], (part,))
        if path[-1] not in ("path", "format") and text
    ]
    for path, text in choose.sample(disclosed * 3, SAMPLED_CHARACTERS):
        at = choose.randrange(len(text))
        other = _another(text[at])
        changed = copy.deepcopy(bundle)
        place: Any = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = text[:at] + other + text[at + 1 :]
        status = auditor.judge(changed, "--believe-node", "--json")
        found = capsys.readouterr().out
        assert status == REFUTED, (path, text[at], other, found[-600:])
        assert "FAIL" in _checks(found).values()


def _another(character: str) -> str:
    if character.isdecimal():
        return str((int(character) + 1) % 10)
    if character in "abcdef":
        return "abcdef"[("abcdef".index(character) + 1) % 6]
    return "字" if character != "字" else "词"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"format":"yichu-evidence-1"}', b'{"a":1,"a":2}', b"null"],
)
def test_bytes_that_are_no_bundle_are_malformed(auditor: Auditor, raw: bytes) -> None:
    assert auditor.judge(raw) == MALFORMED


def test_truncated_bundle_is_malformed(bundle: dict[str, Any], auditor: Auditor) -> None:
    raw = json.dumps(bundle).encode()
    assert auditor.judge(raw[:-2]) == MALFORMED


def test_verdict_is_undecided_without_the_users_word_for_the_node(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    auditor.judge(bundle)
    path = auditor.folder
    arguments = [str(path / "bundle.json"), "--trust", str(path / "trust.json")]
    assert verify(arguments) == UNDECIDED
    assert verify([*arguments, "--rpc", auditor.rpc]) == UNDECIDED


def test_verdict_is_undecided_when_no_node_answers(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    assert auditor.judge(bundle, rpc="http://127.0.0.1:9") == UNDECIDED


@pytest.mark.parametrize("field", ["chain_id", "genesis_hash", "registry", "invoice_ledger"])
def test_verdict_is_undecided_on_another_network(
    bundle: dict[str, Any], auditor: Auditor, field: str
) -> None:
    trust = copy.deepcopy(auditor.trust)
    if field == "chain_id":
        trust["chain_id"] += 1
    elif field == "genesis_hash":
        trust["genesis_hash"] = "ab" * 32
    else:
        trust["contracts"][field]["code_hash"] = "cd" * 32
    assert auditor.judge(bundle, trust=trust) == UNDECIDED


def test_institution_under_another_code_in_the_trust_file_is_refuted(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    trust = copy.deepcopy(auditor.trust)
    number = str(bundle["batch"]["institution_number"])
    trust["institutions"] = {number: {"code": "H99999999999", "name": "another"}}
    assert auditor.judge(bundle, trust=trust) == REFUTED


def test_network_key_of_another_network_is_refuted(
    bundle: dict[str, Any], auditor: Auditor
) -> None:
    trust = {**auditor.trust, "network_key": "ef" * 32, "network_key_version": 1}
    assert auditor.judge(bundle, trust=trust) == REFUTED
