"""What the pages say when stored data is damaged, a bill is held, or a date may still move."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from backend.adapters.database import tables
from backend.domain.claim import ClaimState
from backend.domain.ledger import SlotState
from backend.entrypoints.cli import review
from backend.entrypoints.mobile import texts
from backend.entrypoints.web import create_app
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.claims.submit import SubmissionRefusedError, submit
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.handling.review import refuse_pended
from tests.integration.claims.world import World

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 11, 3)
BASE = "https://localhost"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


@pytest.fixture
def client(world: World) -> FlaskClient:
    person = world.person()
    found: FlaskClient = create_app(world.services).test_client()
    with found.session_transaction(base_url=BASE) as session:
        now = int(time.time())
        session.update(person=person.id, seen=now, began=now)
    return found


def read(client: FlaskClient, path: str) -> str:
    answer = client.get(path, base_url=BASE)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def claims_of(world: World, *invoice_ids: str) -> tuple[Claim, ...]:
    token = secrets.token_urlsafe(32)
    person: Person = world.people[0]
    return submit(world.services, person.id, invoice_ids, token, has_consent=True).claims


def alarms(world: World) -> list[str]:
    with world.services.engine.begin() as connection:
        return list(connection.execute(sa.select(tables.alarm.c.code)).scalars())


# --- a damaged bill ---------------------------------------------------------------------------

DAMAGE = [
    "UPDATE expense_line SET record = replace(record, '400.0000', '4.0000')",
    "UPDATE expense_line SET record = '{' WHERE record LIKE '%400.0000%'",
    "UPDATE expense_line SET record = '[]' WHERE record LIKE '%400.0000%'",
    "UPDATE expense_line SET record = x'ff00' WHERE record LIKE '%400.0000%'",
    "UPDATE invoice_version SET header = '{}' WHERE total_fen = 40000",
    "UPDATE invoice_version SET header = x'ff00' WHERE total_fen = 40000",
    "DELETE FROM expense_line WHERE record LIKE '%400.0000%'",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_damaged_bill_is_withheld_and_the_others_stay_claimable(
    world: World, client: FlaskClient, statement: str
) -> None:
    damaged = world.bill(world.people[0], 400, DAY)
    sound = world.bill(world.people[0], 500, dt.date(2026, 11, 5))
    world.anchor()
    world.sql(statement)
    home = read(client, "/m")
    # (500.00 - 300.00) x 60 % = 120.00 for the one that is left.
    assert "一触报销 1 张" in home and "120.00" in home
    assert damaged not in home and "¥0.00" not in home
    assert "算不出金额，已报警" in home and "仍可提交" not in home
    missing = read(client, "/m/missing")
    assert "算不出金额，已报警" in missing and "400.00" not in missing
    assert alarms(world) == ["bill-unreadable"]
    with pytest.raises(SubmissionRefusedError, match=r"有票据不能报销，没有提交.*内容有损坏"):
        claims_of(world, damaged, sound)
    (claim,) = claims_of(world, sound)
    world.run()
    assert world.claim(claim.id).state is ClaimState.PAID


def test_no_amount_and_no_promise_where_the_year_cannot_be_read(
    world: World, client: FlaskClient
) -> None:
    earlier = world.bill(world.people[0], 400, DAY)
    later = world.bill(world.people[0], 500, dt.date(2026, 11, 5))
    world.anchor()
    (claim,) = claims_of(world, earlier)
    world.run()
    world.sql("UPDATE decision SET explanation = '{'")
    for path in ("/m", f"/m/check?bill={later}"):
        page = read(client, path)
        assert "暂时算不出金额" in page and "算出金额以前不能提交" in page
        assert "¥" not in page.replace("¥500.00", "") and 'class="bar"' not in page
    answer = client.get(f"/m/estimate?bill={later}", base_url=BASE)
    assert answer.status_code == 503 and "total" not in answer.get_data(as_text=True)
    pages = (f"/m/claims/{claim.id}", f"/m/claims/{claim.id}/lines", "/m/claims")
    for path in (*pages, f"/m/submissions/{claim.submission_id}"):
        assert "0.00" not in read(client, path).replace("400.00", "")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE claim SET updated_at = 'long ago' WHERE id = :id", "unread"),
        ("UPDATE invoice_version SET service_on = 'x' WHERE total_fen = 40000", "submitted"),
    ],
)
def test_a_damaged_row_of_one_claim_stops_no_other(world: World, statement: str, what: str) -> None:
    person = world.person()
    first = world.bill(person, 400, DAY)
    world.anchor()
    second = world.bill(person, 500, dt.date(2026, 11, 5))
    world.anchor()
    (bad,) = claims_of(world, first)
    (good,) = claims_of(world, second)
    world.sql("UPDATE claim SET benefit_year = 2025 WHERE id = :id", id=bad.id)
    world.sql(statement, **({"id": bad.id} if ":id" in statement else {}))
    world.run()
    assert world.claim(good.id).state is ClaimState.PAID
    with world.services.engine.begin() as connection:
        row = connection.execute(sa.select(tables.alarm)).one()
    assert (row.code, row.subject) == ("claim-step-failed", bad.id)
    assert row.detail.startswith(f"{what}: ")


@pytest.mark.parametrize("error", [LookupError, AttributeError, AssertionError, ValueError])
def test_an_error_of_stored_data_in_a_step_is_an_alarm(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    person = world.person()
    bills = [world.bill(person, 400, DAY), world.bill(person, 500, DAY)]
    world.anchor()
    bad, good = claims_of(world, *bills)
    from backend.service_layer.handling import advance

    real = advance._STEPS[ClaimState.SUBMITTED]

    def step(deps: Any, claim: Claim) -> bool:
        if claim.id == bad.id:
            raise error("stored")
        return real(deps, claim)

    monkeypatch.setitem(advance._STEPS, ClaimState.SUBMITTED, step)
    advance_claims(world.services)
    assert world.claim(good.id).state is ClaimState.SCREENED
    assert alarms(world) == ["claim-step-failed"]


# --- words --------------------------------------------------------------------------------------


def test_a_bill_that_another_payer_holds_is_not_called_free(
    world: World, client: FlaskClient
) -> None:
    bill = world.bill(world.people[0], 400, DAY)
    world.anchor()
    (claim,) = claims_of(world, bill)
    with world.services.work(write=False) as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
    world.ledger.slots[key] = SlotState(40_000, 0, 1 << 32 | 1 << 10, 9, 2, 5, 0, 0)
    world.run()
    page = read(client, f"/m/claims/{claim.id}")
    assert "没有被占用" not in page
    assert "由另一笔申请占用" in page and "回首页就能再选" in page
    assert "钱是怎么算的" not in page  # nothing was worked out that counts


def test_a_refusal_by_decision_says_that_the_bill_is_free(
    world: World, client: FlaskClient
) -> None:
    bill = world.bill(world.people[0], 400, DAY, payer_name="测试丁卯")
    world.anchor()
    (claim,) = claims_of(world, bill)
    world.run()
    refuse_pended(world.services, claim.number, "复核员甲", "姓名不符")
    world.run()
    page = read(client, f"/m/claims/{claim.id}")
    assert "没有被占用" in page and "姓名不符" in page and "12393" in page


def test_every_reason_of_a_refusal_has_its_own_words() -> None:
    for code, (words, english) in texts._NEXT.items():
        assert ("没有被占用" in words) == (code == "refused")
        assert "{phone}" in words or code == "corrected"
        assert ("{phone}" in english) == ("{phone}" in words)


def test_a_dispute_is_said_in_plain_words(world: World, client: FlaskClient) -> None:
    bill = world.bill(world.people[0], 400, DAY)
    world.anchor()
    (claim,) = claims_of(world, bill)
    with world.services.work() as work:
        key = work.claims.bill_of_version(claim.version_id).invoice_key
        work.disputes.open("dsp_1", key, world.services.clock.now())
        work.commit()
    world.run()
    page = read(client, f"/m/claims/{claim.id}")
    assert "等核实票号" in page and "核实后自动继续" in page and "没有通过" not in page


def test_a_date_in_a_year_without_announced_holidays_is_marked(
    world: World, client: FlaskClient
) -> None:
    # 30 working days from 20 November 2026 end in January 2027, which is not announced.
    mark = "（以国务院放假通知为准）"
    bill = world.bill(world.people[0], 400, DAY)
    assert mark not in read(client, "/m")
    (claim,) = claims_of(world, bill)
    page = read(client, f"/m/submissions/{claim.submission_id}")
    assert page.count(mark) == 1
    assert "2027 年 1 月 4 日" in page
    assert mark in page[page.index("法定最晚") :]


def test_promises_that_reach_into_such_a_year_are_marked_everywhere(
    world: World, client: FlaskClient
) -> None:
    world.services.clock.advance(40 * 86_400)  # 30 December
    mark = "（以国务院放假通知为准）"
    bill = world.bill(world.people[0], 400, DAY)
    assert mark in read(client, "/m")
    assert mark in read(client, f"/m/check?bill={bill}")
    (claim,) = claims_of(world, bill)
    assert read(client, f"/m/submissions/{claim.submission_id}").count(mark) == 2
    assert mark in read(client, f"/m/claims/{claim.id}")


@pytest.mark.parametrize("has_bill", [True, False])
def test_elder_home_leads_to_the_own_claims(
    world: World, client: FlaskClient, has_bill: bool
) -> None:
    if has_bill:
        world.bill(world.people[0], 400, DAY)
    client.set_cookie("elder", "1", domain="localhost")
    home = read(client, "/m")
    assert 'class="elder"' in home
    assert 'href="/m/claims"' in home


def test_a_review_is_offered_only_when_there_is_an_outcome(
    world: World, client: FlaskClient
) -> None:
    (claim,) = claims_of(world, world.bill(world.people[0], 400, DAY))
    page = read(client, f"/m/claims/{claim.id}")
    assert "怎么申请人工复核" in page and f"/m/claims/{claim.id}/appeal" not in page
    assert "结果还没有出来" in read(client, f"/m/claims/{claim.id}/question")
    assert "现在不能申请复核" in read(client, f"/m/claims/{claim.id}/appeal")


def test_review_shows_money_to_the_fen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.person()
    bill = world.bill(person, 700_000_000, DAY)
    (claim,) = claims_of(world, bill)
    world.sql("UPDATE calculation SET paid_fen = 9007199254740993")
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    found = CliRunner().invoke(review.command, ["show", claim.number])
    assert "90,071,992,547,409.93 元" in found.output
