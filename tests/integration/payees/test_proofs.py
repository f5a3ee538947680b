"""Without a bank that can be asked, two people see a proof of whose an account is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from backend.adapters.bank.folder_exchange import FolderExchange
from backend.adapters.banks import listed_banks
from backend.adapters.database import tables
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.payee import AccountRefusedError
from backend.domain.two_people import SamePersonError
from backend.entrypoints.cli import payee
from backend.service_layer.payees.declare import NamedAccount, declare
from backend.service_layer.payees.effective import VerifiedAccounts
from backend.service_layer.payees.proof import Seen, confirm_proof, propose_proof, refuse_proof
from backend.service_layer.payees.register import record_contact
from tests.integration.claims.world import World

pytestmark = pytest.mark.slow
BANK = "102100099996"  # a real one of the list
FIRST, SECOND = "6222000000000001111", "6222000000000002222"
BOOK = b"a copy of the bank book"


def seen(by: str, content: bytes = BOOK) -> Seen:
    return Seen(by, "存折与身份证一致", hashlib.sha256(content).digest())


class Desk:
    """A production-like installation: files go through a folder, which cannot be asked."""

    def __init__(self, world: World, folder: Path) -> None:
        self.services = world.services
        kept = self.services.__dict__
        kept["bank"] = FolderExchange(folder / "bank")
        kept["banks"] = listed_banks(is_simulated=False)
        kept["payees"] = VerifiedAccounts(self.services.secret_box)
        self.person = world.person()

    def name(self, number: str, form: str) -> int:
        row = declare(self.services, NamedAccount(self.person.id, BANK, number, form, "citizen"))
        return row.version

    def standing(self) -> str:
        """The tail of the account to which money goes, or why there is none."""
        with self.services.work(write=False) as work:
            now = self.services.clock.now()
            found = self.services.payees.account_for(work, self.person.id, now)
        return found.reason if found.account is None else found.account.tail

    def prove(self, version: int) -> None:
        propose_proof(self.services, self.person.id, version, seen("窗口甲"))
        confirm_proof(self.services, self.person.id, version, seen("窗口乙"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(World.make(tmp_path), tmp_path)


def test_an_account_that_no_bank_could_confirm_is_not_paid_to(desk: Desk) -> None:
    assert desk.name(FIRST, "one") == 1
    assert desk.name(FIRST, "one") == 1, "the same form again"
    assert desk.standing() == "account-unproven"


def test_two_people_who_saw_the_same_proof_make_it_payable(desk: Desk) -> None:
    desk.name(FIRST, "one")
    confirm, mine = confirm_proof, (desk.services, desk.person.id, 1)
    with pytest.raises(ConflictError, match="nobody has seen a proof yet"):
        confirm(*mine, seen("窗口乙"))
    propose_proof(*mine, seen("窗口甲"))
    assert desk.standing() == "account-unproven"
    for name in ("窗口甲", " 窗口甲 "):
        with pytest.raises(SamePersonError, match="another person does this"):
            confirm(*mine, seen(name))
    with pytest.raises(ConflictError, match="another document"):
        confirm(*mine, seen("窗口乙", b"another copy"))
    assert desk.standing() == "account-unproven"
    row = confirm(*mine, seen("窗口乙"))
    assert (row.version, row.is_proven, desk.standing()) == (2, True, "1111")
    with pytest.raises(ConflictError, match="the proof of this account is over"):
        confirm(*mine, seen("窗口丙"))


def test_a_change_is_announced_and_waits_also_when_people_have_proved_it(desk: Desk) -> None:
    services = desk.services
    with services.work() as work:
        record_contact(services, work, desk.person.id, "13800000000", by="x", source="test")
        work.commit()
    desk.name(FIRST, "one")
    desk.prove(1)
    version = desk.name(SECOND, "two")
    assert desk.standing() == "1111"
    desk.prove(version)
    assert desk.standing() == "1111", "the change waits"
    with services.work(write=False) as work:
        (notice,) = work.payees.notices_of(desk.person.id)
    assert notice.kind == "account-change" and "尾号 2222" in notice.zh
    services.clock.advance(72 * 3600 + 1)
    assert desk.standing() == "2222"


def test_a_refused_proof_is_never_paid_to_and_another_account_can_be_named(desk: Desk) -> None:
    desk.name(FIRST, "one")
    refuse_proof(desk.services, desk.person.id, 1, seen("窗口甲"))
    with pytest.raises(ConflictError, match="the proof of this account is over"):
        propose_proof(desk.services, desk.person.id, 1, seen("窗口乙"))
    version = desk.name(SECOND, "two")
    with pytest.raises(ConflictError, match="over"):
        propose_proof(desk.services, desk.person.id, 1, seen("窗口乙"))
    desk.prove(version)
    assert desk.standing() == "2222"


def test_only_the_newest_account_and_one_that_is_there_can_be_proved(desk: Desk) -> None:
    desk.name(FIRST, "one")
    desk.name(SECOND, "two")
    with pytest.raises(AccountRefusedError, match="named another account since"):
        propose_proof(desk.services, desk.person.id, 1, seen("窗口甲"))
    with pytest.raises(NotFoundError, match="no such account"):
        propose_proof(desk.services, desk.person.id, 9, seen("窗口甲"))


def test_what_a_bank_has_answered_is_not_overruled_by_a_proof(desk: Desk) -> None:
    desk.name(FIRST, "one")
    desk.prove(1)
    with pytest.raises(AccountRefusedError, match="a bank was asked about this account"):
        propose_proof(desk.services, desk.person.id, 2, seen("窗口甲"))


def test_an_account_in_a_former_name_has_to_be_named_again(desk: Desk) -> None:
    desk.name(FIRST, "one")
    propose_proof(desk.services, desk.person.id, 1, seen("窗口甲"))
    with desk.services.engine.begin() as db:
        db.execute(sa.update(tables.person).values(name="改名后"))
    with pytest.raises(AccountRefusedError, match="in another name by now"):
        confirm_proof(desk.services, desk.person.id, 1, seen("窗口乙"))


def test_the_window_does_it_by_commands(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payee, "_services", lambda: desk.services)

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(payee.command, list(arguments), input=typed)

    person = ("--person", desk.person.identity_number)
    named = run("name", *person, "--bank", BANK, "--by", "窗口甲", typed=f"{FIRST}\n")
    assert named.exit_code == 0 and "yichu payee verify" in named.output
    copy, other = tmp_path / "book.pdf", tmp_path / "other.pdf"
    copy.write_bytes(BOOK)
    other.write_bytes(b"other")
    about = (*person, "--version", "1", "--reason", "存折与身份证一致")
    assert run("verify", *about, "--by", "窗口甲").exit_code == 2, "without a document"
    (tmp_path / "empty").touch()
    empty = run("verify", *about, "--document", str(tmp_path / "empty"), "--by", "窗口甲")
    assert empty.exit_code == 2
    assert run("verify", *about, "--document", str(copy), "--by", "窗口甲").exit_code == 0
    listed = run("unproven").output
    assert "尾号 1111" in listed and "proposed 窗口甲" in listed and FIRST not in listed
    done = run("confirm", *about, "--document", str(other), "--by", "窗口乙")
    assert "another document" in str(done.exception)
    done = run("confirm", *about, "--document", str(copy), "--by", "窗口乙")
    assert done.exit_code == 0 and "尾号 1111" in done.output
    assert "没有 / none" in run("unproven").output
    assert desk.standing() == "1111"


def test_a_proof_said_again_by_the_same_person_is_one(desk: Desk) -> None:
    """As by somebody whose first answer never came."""
    desk.name(FIRST, "one")
    mine = (desk.services, desk.person.id, 1)
    for _ in range(2):
        propose_proof(*mine, seen("窗口甲"))
    with desk.services.work(write=False) as work:
        (account,) = work.payees.accounts_of(desk.person.id)
        assert [one.by for one in work.payees.proofs_of(account.row.id)] == ["窗口甲"]
    propose_proof(*mine, seen("窗口乙"))
    assert confirm_proof(*mine, seen("窗口甲")).is_proven
