"""Known private keys are planted in every role of a real system, which then does all that it
does; afterwards they are looked for wherever they must not be."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from eth_account import Account

from backend.adapters.ledger.deployment import DEPLOYER_ROLES
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, Keystores
from scripts.sample_data.bills import SampleBill
from scripts.sample_data.hospital_keys import hospital_folder, write_private
from scripts.sample_data.hospitals import Hospital
from tests.e2e.auditor import VERIFIED, Auditor
from tests.e2e.fresh_bills import fresh_bill, send, touch, until_anchored
from tests.e2e.system import System

from .needles import Needle, files_under, found_in, of_key, of_text
from .processes import ProcessWatch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
#: The accounts of ``ganache --deterministic``, as its users know them: the planted keys.
PHRASE = "myth like bonus scare over problem client lizard pioneer submit female collect"
PLANTED = tuple(
    bytes.fromhex(key)
    for key in (
        "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d",
        "6cbed15c793ce57650b9877cf6fa156fbef513c4e6134f022a85b1ffdd59b2a1",
        "6370fd033278c143179d81c5526140625662b8daa446c22ee2d73db3707e620c",
        "646f1ce2fdad0e6deeeb5c7e8e5543bdde65e86029e2fd9fc169899c440a7913",
        "add53f9a7e588d003326d1cbf9e4a43c061aadd9bc938c843a79e7b4fd2ad743",
        "395df67f0c2d2d9fe1ad08d1bc8b6627011959b79c53d7dd6a3536a33ab8a4fd",
        "e485d098507f54e7733a205420dfddbe58db035fa577fc294ebd14db90767a52",
        "a453611d9419d0e56f499079478fd72c37b251a94bfde4d19872c44cf65386e3",
        "829e924fdf021ba3dbbc4225edfece9aca04b929d6e75613329ca6f1d31c0bb4",
        "b0057716d5917badaf911b193b12b910811c1497b5bada8d7711f758981c3773",
    )
)
CUSTODIAL_HOSPITAL = 2
NEW_CODE = "H33080299999"


@dataclass
class Searched:
    """The system after its work, what its processes showed, and the secrets to look for."""

    system: System
    seen: ProcessWatch
    urls: set[str]
    needles: list[Needle]
    bill: SampleBill


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    system = System(tmp_path_factory.mktemp("system"))
    # The ledger's own accounts are the planted keys too, unlocked.
    system.ledger = system._process(
        *("devchain", "--quiet", "--deterministic", "--port", str(system.rpc_port)),
        *("--db", str(system.var.ledger)),
    )
    urls: set[str] = set()
    sends = requests.adapters.HTTPAdapter.send

    def noting(self: object, request: requests.PreparedRequest, **more: object) -> object:
        urls.add(str(request.url))
        return sends(self, request, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, ProcessWatch(system.settings.var_dir) as seen:
        patch.setattr(requests.adapters.HTTPAdapter, "send", noting)
        try:
            plant(system)
            system.up()
            bill = work(system)
            seen.look()
            yield Searched(system, seen, urls, needles_of(system), bill)
        finally:
            system.down()


def plant(system: System) -> None:
    """Known keys in every role: operator, payer, a custodial and a self-custody hospital."""
    system.var.prepare()
    password = (system.settings.secrets_dir / "keystore_password").read_text().strip()
    stores = Keystores(system.settings.keystore_dir, password, SCRYPT_CHEAP)
    hospitals = system.population.hospitals
    roles = (*DEPLOYER_ROLES, "payer-1", f"institution-{hospitals[CUSTODIAL_HOSPITAL].code}")
    for role, key in zip(roles, PLANTED, strict=False):
        stores.create(role, key)
    own = next(hospital for hospital in hospitals if hospital.custody == "self")
    plant_hospital(system, own, PLANTED[len(roles)])


def plant_hospital(system: System, hospital: Hospital, key: bytes) -> None:
    folder = hospital_folder(system.services, hospital.code)
    write_private(folder / "keystore-password", "the hospital's own password\n")
    document = Account.encrypt(
        key, "the hospital's own password", kdf="scrypt", iterations=SCRYPT_CHEAP
    )
    write_private(folder / "ledger-key.json", json.dumps(document))


def work(system: System) -> SampleBill:
    """Everything that uses a key: deploy, register, anchor, claim, settle, rotate, sign by the
    ledger's own accounts."""
    system.load_sample()
    demo = system.citizen("citizen01")
    demo.confirm(demo.check(demo.offered()))
    bill = fresh_bill(system, 3, 990_001, CUSTODIAL_HOSPITAL)
    send(system, bill)
    until_anchored(system, bill)
    touch(system, bill)
    system.wait_for_claims()
    terms = ("--from", "2020-01-01", "--until", "2037-12-31", "--custody", "custodial")
    system.command("hospital", "register", NEW_CODE, "--name", "x", "--level", "2", *terms)
    system.command("hospital", "rotate-account", NEW_CODE)
    system.command("hospital", "key", NEW_CODE)
    accounts = system.rpc("eth_accounts")
    assert accounts[0] == "0x90f8bf6a479f320ead074411a4b0e7944ea8c9c1"
    for who in accounts:
        system.rpc("eth_sendTransaction", {"from": who, "to": accounts[0], "value": "0x1"})
        system.rpc("eth_sign", who, "0xdead")
    return bill


def needles_of(system: System) -> list[Needle]:
    """The planted keys and the key of every keystore that the system made, the ledger's too."""
    needles = [of_key(f"planted {index}", key) for index, key in enumerate(PLANTED)]
    needles.append(of_text("phrase", PHRASE))
    opened: set[bytes] = set()
    passwords = {
        system.settings.keystore_dir: system.settings.secrets_dir / "keystore_password",
        system.var.ledger / "keystores": system.var.ledger / "keystore_password",
    }
    for folder, file in passwords.items():
        for path in folder.glob("*.json"):
            key = bytes(Account.decrypt(json.loads(path.read_text()), file.read_text().strip()))
            opened.add(key)
            needles.append(of_key(f"{folder.name}/{path.name}", key))
    # Every planted key was really in use: the operator's, or the ledger's own accounts'.
    assert set(PLANTED) <= opened
    assert len(opened) > len(PLANTED) + 2
    return needles


def test_search_finds_a_key_in_every_form(tmp_path: Path) -> None:
    """The search itself: each form of a key, in the middle of other bytes, is found."""
    key = PLANTED[0]
    needles = [of_key("key", key), of_key("other", PLANTED[1])]
    number = int.from_bytes(key, "big")
    mixed = "".join(c.upper() if i % 2 else c for i, c in enumerate(key.hex()))
    around = [(shift, tail) for shift in range(3) for tail in range(3)]
    forms = [
        b"x" + key + b"y",
        b"\x00" + key[::-1],
        key.hex().encode(),
        b"0x" + key.hex().upper().encode(),
        mixed.encode(),
        str(number).encode(),
        json.dumps(list(key)).encode(),
        *(base64.b64encode(b"abc"[:shift] + key + b"zz"[:tail]) for shift, tail in around),
        base64.urlsafe_b64encode(key).rstrip(b"="),
    ]
    assert [found_in(b"before " + form + b" after", needles) for form in forms] == [["key"]] * len(
        forms
    )
    assert found_in(b"nothing of the kind", needles) == []
    # In a page of a SQLite file and in its journal.
    database = sqlite3.connect(tmp_path / "x.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE t (k BLOB)")
    database.execute("INSERT INTO t VALUES (?)", (key,))
    database.commit()
    content = b"".join(path.read_bytes() for path in files_under(tmp_path))
    database.close()
    assert found_in(content, needles) == ["key"]


def test_no_private_key_is_in_any_file(searched: Searched) -> None:
    """Databases with their journals, the ledger's file, logs, everything in var/, keystores too:
    those hold the keys encrypted."""
    files = list(files_under(searched.system.folder))
    names = {path.name for path in files}
    assert {"yichu.db", "yichu.db-wal", "ledger.sqlite3", "worker.log", "serve.log"} <= names
    assert {"devchain.log", "agent.db", "deployment.json", "logins.json"} <= names
    found = {
        str(path.relative_to(searched.system.folder)): hits
        for path in files
        if (hits := found_in(path.read_bytes(), searched.needles))
    }
    assert found == {}


def test_no_private_key_is_in_a_process_list_or_an_environment(searched: Searched) -> None:
    lines = b"\n".join(searched.seen.command_lines).replace(b"\x00", b" ")
    for word in (b"devchain", b"worker", b"serve", b"hospital register", b"sample_data load"):
        assert word in lines, word
    environments = b"\n".join(searched.seen.environments)
    assert b"YICHU_RPC_URLS=" in environments
    secrets = searched.system.settings.secrets_dir
    passwords = [
        of_text(name, (secrets / name).read_text().strip())
        for name in ("keystore_password", "network_key", "wrapping_key", "session_key")
    ]
    passwords.append(of_text("hospital's password", "the hospital's own password"))
    assert found_in(lines, searched.needles + passwords) == []
    assert found_in(environments, searched.needles + passwords) == []


def test_no_private_key_is_in_a_url(searched: Searched) -> None:
    assert any("/v1/invoices" in url for url in searched.urls)
    assert found_in("\n".join(searched.urls).encode(), searched.needles) == []


def test_keystores_and_passwords_are_private_files(searched: Searched) -> None:
    system = searched.system
    folders = (system.settings.keystore_dir, system.var.ledger, system.var.ledger / "keystores")
    assert {folder.stat().st_mode & 0o077 for folder in folders} == {0}
    secret = [
        *system.settings.keystore_dir.glob("*.json"),
        *(system.var.ledger / "keystores").glob("*.json"),
        system.var.ledger / "keystore_password",
        *system.settings.secrets_dir.iterdir(),
    ]
    assert len(secret) > 20
    assert {path.stat().st_mode & 0o077 for path in secret} == {0}
    for path in secret:
        if path.suffix == ".json":
            document = json.loads(path.read_text())
            assert document["version"] == 3
            assert document["crypto"]["kdf"] == "scrypt"


def test_bundle_of_an_old_account_is_verified_after_rotation_and_revocation(
    searched: Searched, tmp_path: Path
) -> None:
    """The bill was anchored by the first account; its evidence outlives that account's right."""
    system, bill = searched.system, searched.bill
    code = bill.hospital.code
    auditor = Auditor(tmp_path, system.rpc_url, system.trust_file())
    assert auditor.judge(system.export(bill.invoice)) == VERIFIED
    old = system.services.keystores.account_of(f"institution-{code}")
    system.command("hospital", "rotate-account", code)
    assert auditor.judge(system.export(bill.invoice)) == VERIFIED
    assert system.services.ledger.anchor_bar(old) == "not-an-institution"
    # The new account anchors the next bill, which verifies too.
    later = fresh_bill(system, 4, 990_002, CUSTODIAL_HOSPITAL)
    send(system, later)
    until_anchored(system, later)
    touch(system, later)
    system.wait_for_claims()
    assert auditor.judge(system.export(later.invoice)) == VERIFIED
    system.command("hospital", "revoke-account", code)
    new = system.services.keystores.account_of(f"institution-{code}-2")
    assert system.services.ledger.anchor_bar(new) == "not-an-institution"
    for each in (bill, later):
        assert auditor.judge(system.export(each.invoice)) == VERIFIED
