"""What an office does: deposits, months, people's accounts and their notices."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.bank.simulated_bank import SimulatedBank
from backend.adapters.database import tables
from backend.domain.journal import EventKind, Fund, Layer
from backend.domain.payee import AccountRefusedError
from backend.entrypoints.cli import payee as payee_commands
from backend.entrypoints.cli import payer as payer_commands
from backend.service_layer.journal.adjustments import Wanted, confirm, propose, refuse
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.money_reconciliation.closing import confirm_close, propose_close
from backend.service_layer.payees import proof
from backend.service_layer.payees.declare import cancel
from backend.service_layer.payout.records import NameMatch, NameVerdict
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

REGION, INSURER = "330800", 3
BY, WHY = "会计甲", "拨款到账"
ONE, OTHER = "柜员甲", "复核乙"


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """A paid claim of last month, and people whose accounts change."""
    made = MoneyStage(folder, url)
    made.person("paid")
    made.person("changes", others="2222")
    made.person("repents", others="2222")
    made.person("new", "", others="1111")
    made.person("unread", others="2222")
    made.person("child", "")
    made.person("proven", "")
    made.person("doubted", "")
    made.bill("paid", 900)
    made.world.anchor()
    made.touch("paid")
    made.works()
    with made.services.engine.begin() as connection:
        child = sa.update(tables.person).where(tables.person.c.id == made.people["child"].id)
        connection.execute(child.values(birth_on=dt.date(2015, 1, 1)))
        connection.execute(
            tables.payer.insert().values(
                number=INSURER, name="保险", payer_class="non-basic", ledger_account="0x3"
            )
        )
    return made


def puts_in(stage: MoneyStage, layer: Layer = Layer.POOL) -> None:
    fund = Fund(REGION, "310", REGION, "市中心测试")
    deposit(
        stage.services, fund, layer, 1_000_000, reference="D-1", by=BY, reason=WHY,
        is_simulated=True,
    )  # fmt: skip


def wants(stage: MoneyStage) -> None:
    """The deposit was for another layer: somebody proposes that it is reversed."""
    wanted = Wanted(EventKind.DEPOSIT_REVERSED, REGION, "310", 1_000_000, "D-1")
    propose(stage.services, wanted, by=ONE, reason="层次登记错误")


def corrects(stage: MoneyStage) -> None:
    confirm(stage.services, 2, by=OTHER, reason="与拨款单核对一致")


def doubts(stage: MoneyStage) -> None:
    refuse(stage.services, 1, by=OTHER, reason="没有附拨款单")


def proposes_close(stage: MoneyStage) -> None:
    propose_close(stage.services, REGION, "2026-11", by=ONE, reason="月结", carry_forward=True)


def closes(stage: MoneyStage) -> None:
    confirm_close(stage.services, REGION, "2026-11", by=OTHER, reason="月结")


def command(stage: MoneyStage, module: Any, *words: str) -> None:
    """A command of the command line, with this stage's services behind it."""
    module.build_services = module._services = lambda: stage.services
    result = CliRunner().invoke(module.command, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


def another_phone(stage: MoneyStage) -> None:
    identity = stage.people["changes"].identity_number
    command(
        stage, payee_commands, "contact", "--person", identity, "--phone", "13900000000", "--by", BY
    )


def becomes_guardian(stage: MoneyStage) -> None:
    minor, guardian = (stage.people[name].identity_number for name in ("child", "paid"))
    command(
        stage, payee_commands, "guardian", "--minor", minor, "--guardian", guardian,
        "--from", "2026-11-01", "--by", BY, "--reason", "户口本",
    )  # fmt: skip


def contact_is_damaged(stage: MoneyStage) -> None:
    """The telephone of one does not open; the notices of the others leave."""
    person = stage.people["unread"].id
    with stage.services.engine.begin() as connection:
        for name in (
            connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            .scalars()
            .all()
        ):
            if "contact" in name:
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
        connection.execute(
            sa.update(tables.person_contact)
            .where(tables.person_contact.c.person_id == person)
            .values(wrapped_phone=b"damaged")
        )


def names_unasked(stage: MoneyStage) -> None:
    """No bank can be asked whose these accounts are: two people look at a proof."""
    said = NameMatch(NameVerdict.UNCHECKED, simulated=True)
    with mock.patch.object(SimulatedBank, "check_name", return_value=said):
        for name in ("proven", "doubted"):
            with suppress(AccountRefusedError):
                stage.name_account(name, "1111")


def sees(act: Any, name: str, by: str) -> Scene:
    seen = proof.Seen(by, "银行卡原件", bytes(32))
    return Scene(f"{by} {act.__name__}", lambda s: act(s.services, s.people[name].id, 1, seen))


SCENES = [
    Scene("money for the fund", puts_in),
    Scene("it was for another layer", wants),
    Scene("nobody has seen the document", doubts),
    Scene("the document", wants),
    Scene("it is reversed", corrects),
    Scene("the right layer", lambda s: puts_in(s, Layer.MEDICAL_AID)),
    Scene("a first account", lambda s: s.name_account("new", "1111")),
    Scene("another account", lambda s: s.name_account("changes", "2222")),
    Scene("another one", lambda s: s.name_account("repents", "2222")),
    Scene("no", lambda s: cancel(s.services, s.people["repents"].id, "repents", "点错了")),
    Scene("two that cannot be asked for", names_unasked),
    sees(proof.propose_proof, "proven", ONE),
    sees(proof.confirm_proof, "proven", OTHER),
    sees(proof.refuse_proof, "doubted", OTHER),
    Scene("a telephone does not open", contact_is_damaged),
    Scene("a third", lambda s: s.name_account("unread", "2222")),
    Scene("another telephone", another_phone),
    Scene("a guardian", becomes_guardian),
    Scene("notices", lambda s: s.works()),
    Scene("an insurer's keys end", lambda s: command(s, payer_commands, "revoke", str(INSURER))),
    Scene("December", lambda s: s.passes(days=15)),
    Scene("that November is closed is proposed", proposes_close),
    Scene("November is closed", closes),
    Scene("worker", lambda s: s.works()),
]

CREDITS = {"paid 1111": [36_000]}
