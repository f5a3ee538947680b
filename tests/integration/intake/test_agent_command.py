"""The agent's command line: every mistake is a plain message in two languages and status 1."""

from __future__ import annotations

import getpass
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from scripts.hospital_agent import __main__ as command
from scripts.hospital_agent.files import read_network
from tests.integration.intake.conftest import SAMPLE

PASSWORD = "a password of the tests"
CONTRACT = "5fbdb2315678afecb367f032d93f642f64180aa3"
REFUSING = "http://127.0.0.1:9"


@dataclass
class Desk:
    """A hospital's folder and its command line, run in this process."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str, url: str = REFUSING, **files: str) -> tuple[int, str]:
        """Exit status and standard error; ``files`` replaces an option, "" leaves it out."""
        options = {
            "api-key-file": "api-key",
            "keystore": "ledger-key.json",
            "password-file": "keystore-password",
            "network": "deployment.json",
        } | {name.replace("_", "-"): value for name, value in files.items()}
        given = [
            part
            for name, value in options.items()
            if value
            for part in (f"--{name}", str(self.folder / value))
        ]
        self.patch.setattr(sys, "argv", ["agent", "--url", url, *given, *arguments])
        try:
            command.main()
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            status = stop.code
        else:
            status = 0
        said = self.capture.readouterr().err
        assert "Traceback" not in said
        return status, said


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    document = Account.encrypt(b"\x01" * 32, PASSWORD, kdf="scrypt", iterations=2**12)
    network = {"chain_id": 1337, "contracts": {"invoice_ledger": {"address": CONTRACT}}}
    (tmp_path / "api-key").write_text("yk_of-the-tests\n")
    (tmp_path / "keystore-password").write_text(PASSWORD + "\n")
    (tmp_path / "ledger-key.json").write_text(json.dumps(document))
    (tmp_path / "deployment.json").write_text(json.dumps(network))
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, monkeypatch, capsys)


def assert_plain(said: str, zh: str, en: str) -> None:
    assert zh in said, said
    assert en in said, said


def test_network_file_pins_chain_and_contract(desk: Desk) -> None:
    pinned = read_network(desk.folder / "deployment.json")
    assert (pinned.chain_id, pinned.contract) == (1337, f"0x{CONTRACT}")


def test_backend_that_does_not_answer(desk: Desk) -> None:
    for arguments in (("upload", str(SAMPLE)), ("anchor",), ("void", "inv_x")):
        status, said = desk.run(*arguments)
        assert status == 1
        assert_plain(said, "后台没有应答", f"the backend did not answer at {REFUSING}")
    assert (desk.folder / "agent.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("url", ["no address", "ftp://127.0.0.1", "http://[::1"])
def test_address_that_is_none(desk: Desk, url: str) -> None:
    status, said = desk.run("anchor", url=url)
    assert status == 1
    assert_plain(said, "后台没有应答", "the backend did not answer at")


@pytest.mark.parametrize("option", ["api_key_file", "keystore", "password_file", "network"])
def test_missing_file_is_named(desk: Desk, option: str) -> None:
    status, said = desk.run("anchor", **{option: "nowhere"})
    assert status == 2
    assert f"{desk.folder / 'nowhere'}' does not exist" in said


DAMAGED: list[tuple[str, bytes, str, str]] = [
    ("api-key", b"", "没有 API 密钥", "there is no API key in"),
    ("api-key", b"two words", "没有 API 密钥", "there is no API key in"),
    ("api-key", b"\xff\xfe", "不是文本文件", "is no text file"),
    ("keystore-password", b"\n", "没有口令", "there is no password in"),
    ("keystore-password", b"wrong", "打不开", "wrong password or damaged file"),
    ("ledger-key.json", b"{", "不是 JSON", "is no JSON file"),
    ("ledger-key.json", b"[]", "不是 JSON 对象", "holds no JSON object"),
    ("ledger-key.json", b"{}", "打不开", "wrong password or damaged file"),
    ("ledger-key.json", b'{"version":9,"crypto":1}', "打不开", "wrong password or damaged file"),
    ("deployment.json", b"{}", "不是网络说明文件", "does not describe a network"),
    ("deployment.json", b'{"chain_id":1,"contracts":[]}', "不是网络说明文件", "does not describe"),
    ("agent.db", b"no database" * 200, "文件无法读写", "a file cannot be read or written"),
]


@pytest.mark.parametrize(("name", "content", "zh", "en"), DAMAGED)
def test_damaged_file_is_named(desk: Desk, name: str, content: bytes, zh: str, en: str) -> None:
    (desk.folder / name).write_bytes(content)
    status, said = desk.run("anchor")
    assert status == 1
    assert_plain(said, zh, en)
    assert PASSWORD not in said


def test_store_in_a_folder_that_is_not_there(desk: Desk) -> None:
    status, said = desk.run("anchor", store="nowhere/agent.db")
    assert status == 1
    assert_plain(said, "文件无法读写", "a file cannot be read or written")


def test_password_that_nobody_types(desk: Desk) -> None:
    def closed(*_: object, **__: object) -> str:
        raise EOFError

    desk.patch.setattr(getpass, "getpass", closed)
    status, said = desk.run("anchor", password_file="")
    assert status == 1
    assert_plain(said, "已取消", "cancelled")


def test_signing_without_a_key(desk: Desk) -> None:
    status, said = desk.run("anchor", keystore="")
    assert status == 2
    assert_plain(said, "签名需要 --keystore", "signing needs --keystore")


def test_signing_without_a_network(desk: Desk, stranger: Callable[[Any], str]) -> None:
    status, said = desk.run("anchor", url=stranger({"id": "tx_1"}), network="")
    assert status == 1
    assert_plain(said, "请用 --network", "pin the chain id and the contract address")


def test_bill_with_faults_names_each(desk: Desk) -> None:
    (desk.folder / "bill.json").write_text('{"EinvoiceCode": 1}')
    status, said = desk.run("upload", str(desk.folder / "bill.json"))
    assert status == 1
    assert re.search(r"^/EinvoiceCode\tnumber-not-text\t", said, re.MULTILINE)
    assert_plain(said, "票据有错误", "the bill has faults and was not uploaded")


def test_bill_of_another_type(desk: Desk) -> None:
    (desk.folder / "bill.pdf").write_bytes(b"%PDF")
    status, said = desk.run("upload", str(desk.folder / "bill.pdf"))
    assert status == 2
    assert_plain(said, "应为 .json 或 .xml", "expected .json or .xml")


@pytest.fixture
def stranger() -> Iterator[Callable[[Any], str]]:
    """A server that is no backend of ours and answers everything with one JSON value."""
    answer: list[Any] = [None]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            body = json.dumps(answer[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def say(value: Any) -> str:
        answer[0] = value
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield say
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("answer", [[], "text", {}, {"id": 1}, {"id": "x", "invoice_key": "zz"}])
@pytest.mark.parametrize("arguments", [("upload", str(SAMPLE)), ("anchor",), ("void", "inv_x")])
def test_stranger_in_place_of_the_backend(
    desk: Desk, stranger: Callable[[Any], str], answer: Any, arguments: tuple[str, ...]
) -> None:
    status, said = desk.run(*arguments, url=stranger(answer))
    assert status == 1
    assert re.search("无法识别|没有签名|尚未在账本登记", said), said
    assert re.search("the backend|not signed|not registered", said), said
