"""Reports of a bank that contradicts itself, and days that pass: nobody is paid twice."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.adapters.bank.folder_exchange import FolderExchange
from backend.adapters.clock import SetClock
from backend.adapters.iso20022.pain001 import read_pain001
from backend.adapters.iso20022.payment_format import Iso20022Format
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.payout.manual import propose_release, release
from backend.service_layer.payout.records import PaymentFile
from tests.integration.claims.world import World
from tests.integration.payout.office import (
    alarms,
    answers,
    attempts,
    claim_of,
    state,
    verdicts,
    with_rules,
)
from tests.postgresql import statement, url_of

pytestmark = pytest.mark.slow


def why(code: str) -> str:
    return f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>"


class Desk:
    """Claims whose payments lie in one file in the bank's folder."""

    def __init__(self, folder: Path, people: int = 1, url: str | None = None) -> None:
        self.world = World.make(folder, url)
        self.services = self.world.services
        self.services.bank = FolderExchange(folder / "bank")
        self.services.payment_format = Iso20022Format()
        self._folder = folder / "bank"
        self.claims = [
            claim_of(self.world, self.world.person(name, f"citizen{number:02d}"))
            for number, name in enumerate(["测试甲子", "测试乙丑"][:people], 1)
        ]
        for _ in range(40):
            advance_claims(self.services, with_payouts=False)
            self.world.mine()
        advance_claims(self.services)
        with_rules(self.world, every_seconds=86_400)
        (sent,) = sorted(self._folder.joinpath("out").glob("*"))
        self.file: PaymentFile = read_pain001(sent.read_bytes())
        self._reports = 0

    def of(self, status: str, inner: str = "", index: int = 0) -> str:
        name = f"<OrgnlEndToEndId>{self.file.items[index].end_to_end_id}</OrgnlEndToEndId>"
        return f"<TxInfAndSts>{name}<TxSts>{status}</TxSts>{inner}</TxInfAndSts>"

    def hears(self, inner: str, group: str = "", made: str = "") -> None:
        """Each report is made a minute after the one before."""
        self._reports += 1
        at = self.file.created_at + dt.timedelta(minutes=4 + self._reports)
        order = (
            f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{self.file.message_id}</OrgnlPmtInfId>{inner}"
            "</OrgnlPmtInfAndSts>"
        )
        told = (
            '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.12"><CstmrPmtStsRpt>'
            f"<GrpHdr><MsgId>REP-{self._reports}</MsgId><CreDtTm>{made or f'{at:%FT%TZ}'}</CreDtTm>"
            f"</GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{self.file.message_id}</OrgnlMsgId>"
            f"<OrgnlMsgNmId>pain.001.001.11</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>"
            f"{order if inner else ''}</CstmrPmtStsRpt></Document>"
        )
        place = self._folder / "in" / f"r{self._reports}.xml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(told, "utf-8")
        advance_claims(self.services)

    def days_pass(self, days: int = 1) -> None:
        for _ in range(days):
            self.services.clock = SetClock(self.services.clock.now() + dt.timedelta(hours=25))
            advance_claims(self.services)


Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Desk] = []

    def new(people: int = 1, url: str | None = None) -> Desk:
        made.append(Desk(tmp_path, people, url))
        return made[-1]

    yield new
    for desk in made:
        desk.services.engine.dispose()


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [("AB05", "ACSC", "the bank said paid"), ("AB05", "DU04", "the bank said rejected DU04"),
     ("AC04", "ACSC", "the bank said paid")],
)  # fmt: skip
def test_what_is_paid_after_it_was_rejected_is_not_paid_again_by_itself(
    make: Make, first: str, then: str, words: str
) -> None:
    desk = make()
    desk.hears(desk.of("RJCT", why(first)))
    desk.hears(desk.of("ACSC") if then == "ACSC" else desk.of("RJCT", why(then)))
    (person,) = desk.world.people
    if first == "AC04":
        desk.world.accounts.correct(person.id, person.name, "6217000012345678")
    desk.days_pass(2)
    assert len(attempts(desk.world)) == 1
    assert verdicts(desk.world) == ["booked", "refused"]
    assert state(desk.world, desk.claims[0]) == ("paying", "payout-stopped")
    assert {"payment-contradicted", "bank-file-refused"} <= alarms(desk.world)
    (row,) = [one for one in find_mismatches(desk.services) if one.rule == "R13"]
    assert (row.there, row.claim_id) == (f"{words} in a refused report", desk.claims[0].id)
    number = desk.claims[0].number
    propose_release(desk.services, number, "王岗", "银行书面确认没有付")
    release(desk.services, number, "李二", "已核对银行的确认函")
    desk.days_pass()
    assert len(attempts(desk.world)) == 2, "two people know that it was not paid"


def test_a_rejection_after_a_word_that_was_not_believed_is_not_paid_again_either(
    make: Make,
) -> None:
    desk = make()
    desk.hears(desk.of("RJCT", why("DU04")))
    desk.hears(desk.of("RJCT", why("AB05")))
    desk.days_pass(2)
    assert verdicts(desk.world) == ["refused", "booked"]
    assert len(attempts(desk.world)) == 1
    assert state(desk.world, desk.claims[0]) == ("paying", "payout-stopped")


@pytest.mark.parametrize(
    ("group", "inner"),
    [("AB05", "DU02"), ("DU01", "MS03"), ("DU01", "")],
)
def test_a_file_that_the_bank_knows_is_not_paid_again(make: Make, group: str, inner: str) -> None:
    desk = make()
    of_order = "<PmtInfSts>RJCT</PmtInfSts>" + why(inner)
    named = of_order if inner == "DU02" else desk.of("RJCT", why(inner) if inner else "")
    desk.hears(named, "<GrpSts>RJCT</GrpSts>" + why(group))
    desk.days_pass(2)
    assert (verdicts(desk.world), answers(desk.world)) == (["refused"], [])
    assert len(attempts(desk.world)) == 1


def test_a_fault_of_our_account_is_told_to_no_payee(make: Make) -> None:
    desk = make(people=2)
    desk.hears("", "<GrpSts>RJCT</GrpSts>" + why("AC04"))
    assert verdicts(desk.world) == ["booked"]
    assert [state(desk.world, claim) for claim in desk.claims] == [("paying", "payout-desk")] * 2
    now = desk.services.clock.now()
    with desk.services.work(write=False) as work:
        for person in desk.world.people:
            assert desk.services.payees.account_for(work, person.id, now).account is not None


def test_a_part_that_came_back_is_not_booked_as_the_whole(make: Make) -> None:
    desk = make()
    desk.hears(desk.of("ACSC"))
    part = '<OrgnlTxRef><IntrBkSttlmAmt Ccy="CNY">50.00</IntrBkSttlmAmt></OrgnlTxRef>'
    because = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>RETURNED</AddtlInf></StsRsnInf>"
    desk.hears(desk.of("RJCT", because + part))
    assert verdicts(desk.world) == ["booked", "refused"]
    assert [status for _, status in answers(desk.world)] == ["paid"]
    assert "the bank said returned in a refused report" in {
        one.there for one in find_mismatches(desk.services)
    }


def test_the_year_9999_stops_nothing_on_a_server_in_another_zone(
    make: Make, postgresql_server: str
) -> None:
    name = "t_" + secrets.token_hex(4)
    statement(postgresql_server, f"CREATE DATABASE {name}")
    statement(postgresql_server, f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")
    desk = make(people=2, url=url_of(postgresql_server, name))
    end = "9999-12-31T23:59:59Z"
    desk.hears(desk.of("ACSC", f"<AccptncDtTm>{end}</AccptncDtTm>"))
    desk.hears(desk.of("ACSC"), made=end)
    desk.hears(desk.of("ACSC", index=1))
    assert sorted(verdicts(desk.world)) == ["booked", "refused", "refused"]
    assert len(answers(desk.world)) == 1
    with desk.services.work(write=False) as work:
        kept = [one.reported_at for one in work.payments.messages()]
    assert kept.count(None) == 1
