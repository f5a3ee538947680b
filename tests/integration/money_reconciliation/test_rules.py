"""Each rule of the reconciliation on a planted break of its own: the right row, and no other."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.adapters.clock import SetClock
from backend.domain.ledger import IntentKind
from backend.service_layer.claims.records import Claim
from backend.service_layer.money_reconciliation.records import RULES
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.records import AnswerStatus
from tests.funding import POOL_FEN, TYPES
from tests.integration.claims.world import World
from tests.integration.payout.office import FIRST_FEN, account_of, claim_of

OTHER_FEN = FIRST_FEN + 1


@dataclasses.dataclass
class Scene:
    """A paid claim, and one whose money is with the bank and not answered."""

    world: World
    paid: Claim
    open: Claim

    def sql(self, *statements: str) -> None:
        """Change rows past triggers, checks and foreign keys."""
        names = {
            "paid": self.paid.id, "open": self.open.id,
            "number": self.paid.number, "open_number": self.open.number,
        }  # fmt: skip
        self.world.services.engine.dispose()
        path = self.world.services.settings.database_url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path)
        connection.executescript("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            done = connection.execute(statement, names)
            assert done.rowcount > 0, statement
        connection.commit()
        connection.close()

    def found(self) -> list[tuple[str, str, str, str]]:
        found = find_mismatches(self.world.services)
        return [(one.rule, one.subject, one.here, one.there) for one in found]


def make(tmp_path: Path) -> Scene:
    world = World.make(tmp_path)
    first, second = world.person(), world.person("测试乙丑", "citizen02")
    paid = claim_of(world, first)
    world.run()
    world.bank.plan[account_of(second)] = None
    still_open = claim_of(world, second)
    world.run()
    return Scene(world, world.claim(paid.id), world.claim(still_open.id))


@pytest.fixture(scope="module")
def clean_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def scene(clean_scene: Scene, tmp_path: Path) -> Scene:
    """A copy of the scene with a database, ledger and bank of its own."""
    clean = clean_scene.world
    clean.services.engine.dispose()
    source = clean.services.settings.database_url.removeprefix("sqlite:///")
    copy = tmp_path / "yichu.db"
    with sqlite3.connect(source) as one, sqlite3.connect(copy) as other:
        one.backup(other)
    services = dataclasses.replace(
        clean.services,
        settings=dataclasses.replace(
            clean.services.settings, database_url=f"sqlite:///{copy}", var_dir=tmp_path
        ),
    )
    ledger = type(clean.ledger)()
    ledger.slots, ledger.heads = dict(clean.ledger.slots), dict(clean.ledger.heads)
    bank = type(clean.bank)(services.clock.now)
    bank.files, bank.left = dict(clean.bank.files), dict(clean.bank.left)
    for name in ("payment_format", "payees"):
        services.__dict__[name] = getattr(clean.services, name)
    services.__dict__["ledger"], services.__dict__["bank"] = ledger, bank
    world = World(services, ledger)
    return Scene(world, clean_scene.paid, clean_scene.open)


def test_a_clean_system_has_no_mismatch(scene: Scene) -> None:
    assert (scene.paid.state, scene.open.state) == ("paid", "paying")
    assert scene.found() == []


# --- one break a rule --------------------------------------------------------------------------

Break = Callable[[Scene], tuple[str, str, str, str]]


def lock_lost(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql("UPDATE claim SET live_invoice_id = NULL WHERE id = :paid")
    return "R1", scene.paid.number, "state paid", "holds bill none"


def lodge_lost(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql("DELETE FROM ledger_intent WHERE kind = 'lodge' AND subject_id = :paid")
    return "R2", scene.paid.number, "lodge 1", "on the ledger none"


def version_ahead(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql("UPDATE claim SET decision_version = 2 WHERE id = :open")
    return "R3", scene.open.number, "version 2", "newest decision 1"


def explanation_changed(scene: Scene) -> tuple[str, str, str, str]:
    before = scene.world.claim(scene.open.id)
    with scene.world.services.work(write=False) as work:
        stored = work.decisions.latest(before.id)
    assert stored is not None
    scene.sql(
        'UPDATE decision SET explanation = replace(explanation, \'"claim_number":"2\', '
        '\'"claim_number":"3\') WHERE claim_id = :open'
    )
    found = scene.found()[0]
    assert found[2] == f"fingerprint {stored.fingerprint.hex()[:16]}"
    return "R3", f"{scene.open.number} v1", found[2], found[3]


def event_of_another_decision(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql(
        "UPDATE decision SET fingerprint = zeroblob(32), wrapped_secret = NULL "
        "WHERE claim_id = :paid"
    )
    with scene.world.services.work(write=False) as work:
        (intent,) = work.outbox.of_subject(scene.paid.id, IntentKind.SETTLE)
    there = f"fingerprint {intent.payload['decision_fingerprint'][:16]}"
    return "R4", f"{scene.paid.number} v1", f"fingerprint {'0' * 16}", there


def slot_paid_more(scene: Scene) -> tuple[str, str, str, str]:
    with scene.world.services.work(write=False) as work:
        key = work.claims.bill_of_version(scene.paid.version_id).invoice_key
    slot = scene.world.ledger.slots[key]
    scene.world.ledger.slots[key] = dataclasses.replace(slot, paid_fen=slot.paid_fen + 5)
    return "R5", scene.paid.number, f"{FIRST_FEN} fen", f"slot {FIRST_FEN + 5} fen"


def payable_of_no_settlement(scene: Scene) -> tuple[str, str, str, str]:
    # All of its journal and payment is there: only the ledger knows nothing of it.
    scene.sql(
        "INSERT INTO payout SELECT 'pay_' || :number || '_v2', claim_id, 2, 0, payee_bank, "
        "payee_account_tail, instructed_at FROM payout WHERE claim_id = :paid",
        "INSERT INTO payout_answer SELECT id, 'paid', 'X', 1, instructed_at FROM payout "
        "WHERE claim_id = :paid AND decision_version = 2",
    )
    return "R6", f"pay_{scene.paid.number}_v2", "0 fen", "no final settlement"


def approval_of_another_amount(scene: Scene) -> tuple[str, str, str, str]:
    entry = (
        "SELECT id FROM journal_entry WHERE kind = 'approved' AND claim_id = "
        "(SELECT id FROM claim WHERE id = :paid)"
    )
    scene.sql(
        f"UPDATE journal_transfer SET amount_fen = {OTHER_FEN} WHERE entry_id = ({entry})",
        f"UPDATE journal_entry SET total_fen = {OTHER_FEN} WHERE id = ({entry})",
    )
    said = f"booked {OTHER_FEN} fen"
    return "R7", f"pay_{scene.paid.number}_v1", f"{FIRST_FEN} fen", said


def paid_before_the_bank_said_so(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql("UPDATE claim SET state = 'paid' WHERE id = :open")
    return "R8", scene.open.number, "paid", f"{FIRST_FEN} fen not paid"


def instruction_of_another_person(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql(
        "UPDATE payment_attempt SET person_id = "
        "(SELECT person_id FROM claim WHERE id = :open) WHERE claim_id = :paid"
    )
    whose = f"person {scene.paid.person_id} of pay_{scene.paid.number}_v1"
    subject = f"pay_{scene.paid.number}_v1_a1"
    return "R9", subject, f"person {scene.open.person_id}", whose


def file_of_other_bytes(scene: Scene) -> tuple[str, str, str, str]:
    name = next(iter(scene.world.bank.files))
    with scene.world.services.work(write=False) as work:
        stored = work.payments.file_by_message(name.removesuffix(".xml"))
    assert stored is not None
    content = scene.world.bank.files[name].replace(b"TEST-", b"TXST-")
    wrapped = scene.world.services.secret_box.wrap(content, stored.id)
    scene.sql(
        f"UPDATE payout_file SET wrapped_content = x'{wrapped.hex()}' WHERE id = '{stored.id}'"
    )
    return "R10", stored.message_id, "digest as written", "other bytes are stored"


def instruction_not_as_written(scene: Scene) -> tuple[str, str, str, str]:
    with scene.world.services.work(write=False) as work:
        newest = work.payments.files()[0]
        tried = work.payments.of_file(newest.id)
    tail = tried[0].attempt.account_tail
    scene.sql("UPDATE payment_attempt SET account_tail = '9999' WHERE claim_id = :open")
    here = f"{FIRST_FEN} fen to 9999"
    return "R10", f"{scene.open.number}-V1-A1", here, f"file: {FIRST_FEN} fen to {tail}"


def bank_lost_a_file(scene: Scene) -> tuple[str, str, str, str]:
    del scene.world.bank.files[(name := next(iter(scene.world.bank.files)))]
    return "R11", name.removesuffix(".xml"), "handed over", "the bank has no such file"


def bank_has_a_file_more(scene: Scene) -> tuple[str, str, str, str]:
    scene.world.bank.files["YC20261120D-FOREIGN.xml"] = b"{}"
    return "R11", "YC20261120D-FOREIGN.xml", "unknown here", "the bank has it"


def bank_silent(scene: Scene) -> tuple[str, str, str, str]:
    now = scene.world.services.clock.now()
    scene.world.services.clock = SetClock(now + dt.timedelta(hours=25))
    return (
        "R12", f"{scene.open.number}-V1-A1", f"{FIRST_FEN} fen since {now:%F %H:%MZ}", "no answer",
    )  # fmt: skip


def bank_said_another_thing(scene: Scene) -> tuple[str, str, str, str]:
    """The stored report was believed; the answer that was booked from it is gone, and its claim
    waits as if it had never come."""
    scene.sql(
        "DELETE FROM payment_answer WHERE attempt_id LIKE 'pay_' || :number || '%'",
        "DELETE FROM journal_transfer WHERE entry_id IN (SELECT id FROM journal_entry "
        "WHERE kind = 'paid' AND claim_id = :paid)",
        "DELETE FROM journal_entry WHERE kind = 'paid' AND claim_id = :paid",
        "UPDATE claim SET state = 'paying' WHERE id = :paid",
    )
    return "R13", f"{scene.paid.number}-V1-A1", "no answer", "the bank said paid"


def answer_that_was_not_booked(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql(
        "DELETE FROM journal_transfer WHERE entry_id IN (SELECT id FROM journal_entry "
        "WHERE kind = 'paid' AND claim_id = :paid)",
        "DELETE FROM journal_entry WHERE kind = 'paid' AND claim_id = :paid",
    )
    return "R14", f"pay_{scene.paid.number}_v1_a1 paid", f"{FIRST_FEN} fen", "no entry"


def money_of_no_document(scene: Scene) -> tuple[str, str, str, str]:
    """A whole, balanced entry about the claim, of a source that no rule of one row knows."""
    _entry(scene, "by-hand", "adjusted", "'" + scene.open.id + "'", "fund:330800:pool",
           "payable:330800")  # fmt: skip
    return "R15", f"{scene.open.number} payable", "0 fen", "booked 100 fen"


def money_of_no_claim(scene: Scene) -> tuple[str, str, str, str]:
    _entry(scene, "by-hand", "adjusted", "NULL", "fund:330800:pool", "bank:330800")
    there = "adjusted: 100 fen to fund:330800:pool from bank:330800"
    return "R16", "jnl_planted", "no claim", there


def fund_of_another_city(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql("UPDATE payment_attempt SET region = '330100' WHERE claim_id = :paid")
    return "R17", scene.paid.number, "debited 330100", "fund 330800"


def entry_not_whole(scene: Scene) -> tuple[str, str, str, str]:
    scene.sql(
        "INSERT INTO journal_transfer SELECT 'jnl_loose', 1, 1, debit_account, credit_account, 5 "
        "FROM journal_transfer WHERE entry_id = (SELECT id FROM journal_entry "
        "WHERE claim_id = :paid AND kind = 'approved') AND part = 1"
    )
    said = "the entry is not whole, or its transfers have no entry"
    return "R18", "jnl_loose", "not-whole", said


def bank_took_a_fee(scene: Scene) -> tuple[str, str, str, str]:
    balance = POOL_FEN * len(TYPES) - FIRST_FEN
    scene.sql(
        "INSERT INTO bank_statement VALUES ('st', '330800', 'TEST-FUND-330800', '1', "
        "'2099-01-01 00:00:00.000000', '2099-01-02 00:00:00.000000', "
        f"{balance}, {balance - 100}, 1, 1, 'none', 1)",
        "INSERT INTO bank_statement_entry VALUES ('st', 1, 'debit', 100, 'FEE-1', '', "
        "'2099-01-01')",
    )
    return "R19", "FEE-1", "not booked", "the bank has 100 fen debit"


def _entry(  # noqa: PLR0917
    scene: Scene, source: str, kind: str, claim_sql: str, debit: str, credit: str
) -> None:
    scene.sql(
        f"INSERT INTO journal_transfer VALUES ('jnl_planted', 1, 1, '{debit}', '{credit}', 100)",
        "INSERT INTO journal_entry (id, source_type, source_id, kind, region, insurance_type, "
        "agency_code, agency_name, claim_id, booked_at, booked_on, transfer_count, total_fen, "
        f"is_simulated, recorded_by, text) SELECT 'jnl_planted', '{source}', 'x', '{kind}', "
        f"region, insurance_type, agency_code, agency_name, {claim_sql}, booked_at, booked_on, 1, "
        "100, 1, 'x', '' FROM journal_entry WHERE claim_id = :paid AND kind = 'approved'",
    )


BREAKS: tuple[tuple[str, Break], ...] = (
    ("R1", lock_lost),
    ("R2", lodge_lost),
    ("R3", version_ahead),
    ("R3", explanation_changed),
    ("R4", event_of_another_decision),
    ("R5", slot_paid_more),
    ("R6", payable_of_no_settlement),
    ("R7", approval_of_another_amount),
    ("R8", paid_before_the_bank_said_so),
    ("R9", instruction_of_another_person),
    ("R10", file_of_other_bytes),
    ("R10", instruction_not_as_written),
    ("R11", bank_lost_a_file),
    ("R11", bank_has_a_file_more),
    ("R12", bank_silent),
    ("R13", bank_said_another_thing),
    ("R14", answer_that_was_not_booked),
    ("R15", money_of_no_document),
    ("R16", money_of_no_claim),
    ("R17", fund_of_another_city),
    ("R18", entry_not_whole),
    ("R19", bank_took_a_fee),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "plant"), BREAKS, ids=lambda part: getattr(part, "__name__", part)
)
def test_a_planted_break_is_named_and_nothing_else_is(
    scene: Scene, rule: str, plant: Break
) -> None:
    expected = plant(scene)
    assert expected[0] == rule
    assert scene.found() == [expected]


def test_every_rule_has_a_break_of_its_own() -> None:
    """None of the rules is left without one."""
    assert {rule.code for rule in RULES} == {rule for rule, _ in BREAKS}


def test_what_is_only_there_while_something_moves_is_no_mismatch(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = next(iter(scene.world.ledger.slots))
    right = scene.world.ledger.slots[key]
    said = [dataclasses.replace(right, paid_fen=1), right]
    ask = scene.world.ledger.slot
    monkeypatch.setattr(
        scene.world.ledger, "slot", lambda one: said.pop(0) if one == key else ask(one)
    )
    assert scene.found() == []
    assert said == []


@pytest.mark.slow
def test_a_returned_payment_and_its_second_attempt_agree(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    person = world.person()
    claim = claim_of(world, person)
    world.bank.plan[account_of(person)] = (AnswerStatus.RETURNED, "AC04")
    world.run()
    assert find_mismatches(world.services) == []
    world.accounts.correct(person.id, person.name, "TEST-CORRECTED")
    world.run()
    assert world.claim(claim.id).state == "paid"
    assert find_mismatches(world.services) == []
