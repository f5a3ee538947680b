"""What an insurer may ask of the ledger, in which state of its claim, and with whose consent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind, LedgerIntent
from backend.domain.second_payer import ConsentRefusedError
from backend.service_layer.ports import LedgerUnavailableError
from backend.service_layer.second_payers.calls import (
    Ruling,
    enqueue_expiry,
    release,
    renew,
    settle,
)
from backend.service_layer.second_payers.consent import (
    Asked,
    consent_text,
    give_consent,
    live_consent,
    revoke_consent,
)
from backend.service_layer.second_payers.once import Answered, Once
from backend.service_layer.second_payers.ports import (
    NotOpenedError,
    PayerCallRefusedError,
    PayerPolicyError,
    RequestKeyReusedError,
)
from backend.service_layer.second_payers.records import SecondPayer
from backend.service_layer.second_payers.sweep import second_payer_pass
from tests.unit.second_payers.insurer import (
    CLAIM,
    CONSENT,
    NOW,
    ONCE,
    PAYER,
    Desk,
    call,
    slot,
)

RULING = Ruling(b"\x01" * 32, b"\x02" * 32)
DECIDED = {"decision_fingerprint": "01" * 32, "decision_version": 1, "policy_hash": "02" * 32}
OURS = {"invoice_key": "05" * 32, "payer": 9, "counter": 4}
PAST = int((NOW - dt.timedelta(days=2)).timestamp())
LAPSED = call(deadline=PAST)
RENEW, SETTLE = IntentKind.RENEW, IntentKind.SETTLE
RELEASE, EXPIRE = IntentKind.RELEASE, IntentKind.EXPIRE
THIRTY_DAYS = 30 * 86_400

Act = Callable[[Desk], Answered]


def do_settle(desk: Desk, once: Once = ONCE, payer: SecondPayer = PAYER) -> Answered:
    return settle(desk.deps, payer, "pcl_1", once, amount_fen=5_000, ruling=RULING)


def do_release(desk: Desk) -> Answered:
    return release(desk.deps, PAYER, "pcl_1", ONCE, RULING)


def do_give_up(desk: Desk) -> Answered:
    return release(desk.deps, PAYER, "pcl_1", ONCE, None)


def do_renew(desk: Desk) -> Answered:
    return renew(desk.deps, PAYER, "pcl_1", ONCE)


ALL = [do_settle, do_release, do_give_up, do_renew]


def asked(desk: Desk) -> tuple[IntentKind, dict[str, Any]]:
    (intent,) = desk.asked
    assert (intent.account, intent.held, intent.subject_id) == ("0x9", True, "pcl_1")
    return intent.kind, intent.payload


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("lodged", [call(), LAPSED], ids=["lodged", "lapsed"])
@pytest.mark.parametrize(
    ("act", "kind", "payload"),
    [
        (do_settle, SETTLE, OURS | {"amount": 5_000} | DECIDED),
        (do_release, RELEASE, OURS | {"reason": 1} | DECIDED),
        (do_give_up, RELEASE, OURS | {
            "reason": 2, "decision_fingerprint": "00" * 32, "decision_version": 0,
            "policy_hash": "00" * 32,
        }),
        (do_renew, RENEW, OURS | {"deadline": int(NOW.timestamp()) + THIRTY_DAYS}),
    ],
)  # fmt: skip
def test_a_call_becomes_one_intent_of_the_insurers_own_account(
    act: Act, kind: IntentKind, payload: dict[str, Any], lodged: LedgerIntent
) -> None:
    desk = Desk(lodged)
    answer = act(desk)
    assert asked(desk) == (kind, payload)
    assert (answer.status, answer.is_replayed) == (202, False)
    assert answer.body.startswith("pcl_1 ")
    assert (desk.locked, desk.commits) == (["per_1"], 1)


def test_each_try_has_a_key_of_its_own() -> None:
    desk = Desk(call(), call(SETTLE, "over-total"))
    do_settle(desk)
    assert desk.asked[0].dedupe_key == "settle:pcl_1:1"


def test_the_person_is_told_that_a_bill_is_being_settled() -> None:
    desk = Desk()
    do_settle(desk)
    (notice,) = desk.notices
    assert (notice.person_id, notice.kind) == ("per_1", "payer-call")
    assert notice.zh == "“示例人寿”正在核销您的一张票据。"
    assert notice.en == "“示例人寿” is settling one of your bills."


# --- what is refused ------------------------------------------------------------------------------

WAIT = ("请等账本的结果，再看这笔申请", "wait for the ledger and read the claim again")
OVER = ("这笔已办结；要再办，请重新登记", "it is over; lodge again to go on")
LINKS = ("请按申请里的 links 做下一步", "do what the claim's links offer")


@pytest.mark.parametrize("act", ALL)
@pytest.mark.parametrize(
    ("calls", "phase", "what"),
    [
        ((call(outcome=None, state="queued"),), "lodging", WAIT),
        ((call(outcome="locked"),), "refused", OVER),
        ((call(), call(SETTLE, None, "sent")), "settling", WAIT),
        ((call(), call(RELEASE, None, "sent")), "releasing", WAIT),
        ((call(), call(SETTLE)), "settled", OVER),
        ((call(), call(RELEASE)), "released", OVER),
        ((LAPSED, call(EXPIRE)), "expired", OVER),
        ((call(), call(SETTLE, None, "quarantined")), "held", LINKS),
    ],
)
def test_without_a_lock_of_its_own_nothing_is_asked(
    act: Act, calls: tuple[LedgerIntent, ...], phase: str, what: tuple[str, str]
) -> None:
    next_zh, next_en = what
    desk = Desk(*calls)
    with pytest.raises(PayerCallRefusedError) as caught:
        act(desk)
    assert caught.value.code == "payer-wrong-state"
    assert caught.value.en == f"the claim is {phase}, so this call is not possible now: {next_en}"
    assert caught.value.zh == f"申请现在的状态是 {phase}，不能做这一步：{next_zh}"
    assert (desk.asked, desk.commits, desk.kept) == ([], 0, {})


@pytest.mark.parametrize("act", [do_settle, do_renew])
@pytest.mark.parametrize(
    "consent",
    [
        replace(CONSENT, revoked_at=NOW),
        replace(CONSENT, until=NOW),
        replace(CONSENT, given_at=NOW + dt.timedelta(seconds=1)),
        replace(CONSENT, invoice_id="inv_2"),
        replace(CONSENT, payer_number=8),
    ],
)
def test_without_a_consent_that_holds_now_nothing_is_settled_or_renewed(
    act: Act, consent: Any
) -> None:
    desk = Desk()
    desk.consents = [consent]
    with pytest.raises(PayerCallRefusedError) as caught:
        act(desk)
    assert (caught.value.code, caught.value.zh, caught.value.en) == (
        "payer-consent-ended",
        "本人的同意已到期或撤回，登记会自动放开；要继续，请本人重新同意后再登记",
        "the consent has ended and the lock is given back; ask the person for another consent and "
        "lodge again",
    )
    assert desk.asked == []


@pytest.mark.parametrize("act", [do_release, do_give_up])
def test_a_lock_is_given_back_without_any_consent(act: Act) -> None:
    desk = Desk()
    desk.consents = []
    act(desk)
    assert asked(desk)[0] is RELEASE


@pytest.mark.parametrize("act", [do_settle, do_release])
def test_a_policy_that_was_never_published_decides_nothing(act: Act) -> None:
    desk = Desk()
    desk.published = 0
    with pytest.raises(PayerPolicyError) as caught:
        act(desk)
    assert caught.value.zh == "账本上没有公布过这个条款指纹，请先由平台公布"
    assert caught.value.en == (
        "no policy with this hash was published on the ledger: have it published first"
    )
    assert desk.asked == []


@pytest.mark.parametrize("act", ALL)
def test_another_insurers_claim_is_not_there(act: Act) -> None:
    desk = Desk()
    desk.claims["pcl_1"] = replace(CLAIM, payer_number=8)
    with pytest.raises(NotOpenedError, match="no such bill or claim, or no consent"):
        act(desk)
    assert desk.asked == []


# --- once -----------------------------------------------------------------------------------------


def test_the_same_request_again_is_answered_alike_and_done_once() -> None:
    desk = Desk()
    first = do_settle(desk)
    again = do_settle(desk)
    assert again == Answered(202, first.body, is_replayed=True)
    assert len(desk.asked) == desk.commits == 1


def test_a_key_of_another_request_is_refused_and_another_insurers_key_is_another() -> None:
    desk = Desk()
    do_settle(desk)
    other = replace(ONCE, asked=("settle", "pcl_2"))
    with pytest.raises(RequestKeyReusedError) as caught:
        do_settle(desk, other)
    assert caught.value.zh == "这个 Idempotency-Key 已用于另一个请求，什么都没有改动；请换一个"
    assert caught.value.en == (
        "this Idempotency-Key was used for another request; nothing changed: choose another"
    )
    with pytest.raises(NotOpenedError):
        do_settle(desk, other, replace(PAYER, number=8))


# --- the worker's pass ----------------------------------------------------------------------------


def swept(desk: Desk) -> int:
    return second_payer_pass(desk.deps)


def test_a_lock_with_a_consent_that_holds_is_left_alone() -> None:
    desk = Desk()
    assert swept(desk) == 0
    assert (desk.asked, desk.closed, desk.commits) == ([], [], 0)


def test_an_end_is_kept_once_the_ledger_has_it() -> None:
    desk = Desk(call(), call(SETTLE))
    assert swept(desk) == 1
    assert (desk.closed, desk.asked, desk.commits) == ([("pcl_1", "settled")], [], 1)


@pytest.mark.parametrize("state", ["void", "reversed"])
def test_a_lock_on_a_bill_that_fell_is_given_back(state: str) -> None:
    desk = Desk()
    desk.bill.state = state
    assert swept(desk) == 1
    kind, payload = asked(desk)
    assert (kind, payload["reason"], desk.locked) == (RELEASE, 2, ["per_1"])


def test_a_lock_without_a_consent_is_given_back_unless_something_is_under_way() -> None:
    desk = Desk()
    desk.consents = []
    assert swept(desk) == 1 and asked(desk)[0] is RELEASE
    waiting = Desk(call(), call(SETTLE, None, "sent"))
    waiting.consents = []
    assert swept(waiting) == 0 and waiting.asked == []


def test_a_lock_past_the_ledgers_own_time_is_expired_once_a_day() -> None:
    desk = Desk(LAPSED)
    desk.slot = slot(deadline=int(NOW.timestamp()) - 1)
    assert swept(desk) == 1
    (intent,) = desk.asked
    assert (intent.kind, intent.payload) == (
        EXPIRE, {"invoice_key": "05" * 32, "counter": 4},
    )  # fmt: skip
    assert intent.dedupe_key == "expire:pcl_1:2026-11-20"
    assert swept(desk) == 0 and len(desk.asked) == 1


@pytest.mark.parametrize(
    "there",
    [
        slot(deadline=int(NOW.timestamp())),  # the last second
        slot(payer=8, deadline=PAST),
        slot(counter=5, deadline=PAST),
    ],
)
def test_a_lock_that_the_ledger_holds_otherwise_is_not_expired(there: Any) -> None:
    desk = Desk(LAPSED)
    desk.slot = there
    assert swept(desk) == 0 and desk.asked == []


def test_while_the_ledger_is_silent_nothing_is_expired() -> None:
    desk = Desk(LAPSED)
    desk.slot = slot(deadline=PAST)
    desk.ledger_error = LedgerUnavailableError("连不上", "no node answers")
    assert swept(desk) == 0 and desk.asked == []


def test_a_lock_that_still_runs_is_not_expired_whatever_the_ledger_says() -> None:
    desk = Desk()
    desk.slot = slot(deadline=PAST)
    assert swept(desk) == 0 and desk.asked == []
    with desk as work:
        assert enqueue_expiry(desk.deps, work, CLAIM) is True


# --- consent --------------------------------------------------------------------------------------

FORM = Asked("9", ("header",), "30", is_agreed=True, form_token="t" * 16)


@pytest.mark.parametrize(
    ("form", "zh", "en"),
    [
        (replace(FORM, parts=()), "请至少勾选一项要给保险公司看的内容",
         "tick at least one part to be opened"),
        (replace(FORM, parts=("header", "all")), "请至少勾选一项要给保险公司看的内容",
         "tick at least one part to be opened"),
        (replace(FORM, days="31"), "请选择开放多少天", "choose for how many days"),
        (replace(FORM, is_agreed=False), "请先勾选“我同意”", "tick the consent first"),
        (replace(FORM, form_token="t" * 15), "页面已过期，请返回重试",
         "the page has expired: go back and try again"),
        (replace(FORM, form_token="t" * 65), "页面已过期，请返回重试",
         "the page has expired: go back and try again"),
    ],
)  # fmt: skip
def test_a_form_that_opens_nothing_stores_nothing(form: Asked, zh: str, en: str) -> None:
    desk = Desk()
    with pytest.raises(ConsentRefusedError) as caught:
        give_consent(desk.deps, "per_1", "inv_1", form)
    assert (caught.value.zh, caught.value.en) == (zh, en)
    assert (desk.locked, desk.commits) == ([], 0)


def test_the_text_names_the_insurer_the_days_and_what_is_opened_and_no_more() -> None:
    from backend.domain.second_payer import Part

    text = consent_text("示例人寿", (Part.HEADER, Part.DECISION), 30)
    assert text == (
        "我同意把这张票据给“示例人寿”看，30 天内有效，用于商业保险理赔。"
        "给它看的只有：票面：医院、票号、日期、姓名、科室、就诊类别、诊断、金额、看病时谁付了多少；"
        "医保的核定结果：报了多少、各层多少、按哪版政策。"
        "它可以在账本上登记和核销这张票据剩下的金额。账本上，它和其他付款方能互相看到谁登记过、"
        "一共报了多少。我可以随时撤回：撤回以后它看不到票据，还没有核销的登记会放开；"
        "已经看过的、已经核销的，撤回改变不了。"
    )


def test_only_the_person_takes_a_consent_back() -> None:
    desk = Desk()
    for person, consent in (("per_2", "cns_1"), ("per_1", "cns_9")):
        with pytest.raises(NotFoundError, match="no such consent") as caught:
            revoke_consent(desk.deps, person, consent)
        assert caught.value.zh == "没有这项同意"
    assert (desk.revoked, desk.commits) == ([], 0)
    assert revoke_consent(desk.deps, "per_1", "cns_1") is True
    assert (desk.revoked, desk.commits) == (["cns_1"], 1)


@pytest.mark.parametrize(
    ("consent", "holds"),
    [
        (CONSENT, True),
        (replace(CONSENT, given_at=NOW), True),
        (replace(CONSENT, until=NOW + dt.timedelta(seconds=1)), True),
        (replace(CONSENT, until=NOW), False),
        (replace(CONSENT, given_at=NOW + dt.timedelta(seconds=1)), False),
        (replace(CONSENT, revoked_at=NOW - dt.timedelta(days=1)), False),
    ],
)
def test_a_consent_holds_from_when_it_was_given_until_its_end(consent: Any, holds: bool) -> None:
    desk = Desk()
    desk.consents = [replace(CONSENT, id="cns_0", revoked_at=NOW), consent]
    with desk as work:
        found = live_consent(work, 9, "inv_1", NOW)
    assert found == (consent if holds else None)
