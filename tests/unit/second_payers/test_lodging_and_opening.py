"""A bill is lodged and shown only as far as its person has opened it, and only when nothing that
must never reach the ledger stands in its way."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import NotFoundError
from backend.domain.ledger import IntentKind
from backend.domain.second_payer import ConsentRefusedError, Part
from backend.service_layer.claims.authenticity import Verdict
from backend.service_layer.second_payers import calls, consent, opening
from backend.service_layer.second_payers.calls import lodge
from backend.service_layer.second_payers.consent import Asked, consent_text, give_consent, own_bill
from backend.service_layer.second_payers.opening import decision_in_effect, opened_bill
from backend.service_layer.second_payers.ports import NotOpenedError, PayerCallRefusedError
from backend.service_layer.second_payers.records import Reading
from tests.unit.second_payers.insurer import (
    CLAIM,
    CONSENT,
    KEY,
    NOW,
    ONCE,
    PAYER,
    SOON,
    Desk,
    call,
    slot,
)

BILL: Any = SimpleNamespace(
    invoice_id="inv_1", version_id="ver_1", invoice_key=KEY, public_token="tok", kind=1,
    state="active", is_disputed=False, is_ruled_against=False,
)  # fmt: skip
DECISION = SimpleNamespace(version=1, outcome="approved", explanation='{"paid_fen":6000}')
BASIC = SimpleNamespace(id="clm_1", state=ClaimState.PAID)
THIRTY_DAYS = 30 * 86_400


def changed(**fields: Any) -> Any:
    return SimpleNamespace(**(vars(BILL) | fields))


class Lodging(Desk):
    """A desk at which nothing is lodged yet, with the basic insurer's part behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.claims, self.calls = {}, []
        self.bills: list[Any] = [BILL]
        self.basic: Any = BASIC
        self.latest: Any = None
        self.decisions: list[Any] = [DECISION]
        self.paid_version = 1
        self.position: Any = SimpleNamespace(to_payload=lambda: {"leaf": "aa"})
        self.account: str | None = "0x9"
        self.verdict = Verdict.GENUINE
        self.slot = slot(payer=0, counter=4, deadline=0)
        self.readings: list[Reading] = []
        self.given: list[Any] = []
        self.is_new_form = True

    def __enter__(self) -> Any:
        work = super().__enter__()

        def add_claim(claim: Any) -> None:
            self.claims[claim.id] = claim
            self.calls.append(replace(call(outcome=None, state="queued"), subject_id=claim.id))

        def add_consent(entry: Any) -> bool:
            self.given.append(entry)
            return self.is_new_form

        work.people.get = lambda person: SimpleNamespace(id=person, identity_number="TEST-0001")
        work.claims.bills_of = lambda lookup: self.bills if lookup == b"TEST-0001" else []
        work.claims.live_on = lambda invoice: self.basic
        work.claims.latest_on = lambda invoice: self.latest
        work.claims.payer_account = lambda number: self.account
        work.decisions = SimpleNamespace(
            all_of=lambda claim: self.decisions, latest=lambda claim: self.decisions[-1]
        )
        work.batches = SimpleNamespace(position_of=lambda version: self.position)
        work.second_payers.add_claim = add_claim
        work.second_payers.add_consent = add_consent
        work.second_payers.payers = lambda: [PAYER]
        work.second_payers.add_reading = self.readings.append
        work.second_payers.readings_of = lambda ids: list(self.readings)
        return work

    @property
    def deps(self) -> Any:
        deps = super().deps
        deps.secret_box = SimpleNamespace(lookup=lambda purpose, text: text.encode())
        return deps


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Lodging:
    made = Lodging()

    def check(deps: Any, token: str) -> Any:
        assert token == "tok"
        return SimpleNamespace(verdict=made.verdict)

    def in_effect(work: Any, claim_id: str) -> list[Any]:
        assert claim_id == "clm_1"
        version = made.paid_version
        return [SimpleNamespace(payload={"decision_version": version})] if version else []

    monkeypatch.setattr(calls, "check_bill", check)
    monkeypatch.setattr(opening, "payments_in_effect", in_effect)
    return made


def do_lodge(desk: Lodging) -> Any:
    return lodge(desk.deps, PAYER, "inv_1", ONCE)


def refused(desk: Lodging) -> tuple[str, str, str]:
    with pytest.raises(PayerCallRefusedError) as caught:
        do_lodge(desk)
    assert (desk.asked, desk.commits, desk.notices) == ([], 0, [])
    return caught.value.code, caught.value.zh, caught.value.en


# --- lodging --------------------------------------------------------------------------------------


def test_an_opened_bill_is_lodged_under_the_next_counter_for_thirty_days(desk: Lodging) -> None:
    desk.head_at = NOW + dt.timedelta(seconds=90)
    answer = do_lodge(desk)
    (intent,) = desk.asked
    assert (intent.kind, intent.account, intent.held) == (IntentKind.LODGE, "0x9", True)
    assert intent.payload == {
        "position": {"leaf": "aa"}, "payer": 9, "counter": 5,
        "deadline": int(NOW.timestamp()) + 90 + THIRTY_DAYS,
    }  # fmt: skip
    (claim,) = desk.claims.values()
    assert claim == replace(CLAIM, id="pcl_new", lodge_counter=5)
    assert (answer.status, answer.is_replayed, desk.commits) == (202, False, 1)
    assert desk.locked == ["per_1"]
    assert desk.notices[0].zh == "“示例人寿”登记了您的一张票据，准备理赔。"


def test_our_own_lock_lodged_again_changes_neither_counter_nor_deadline(desk: Lodging) -> None:
    desk.slot = slot(payer=9, counter=4, deadline=SOON)
    do_lodge(desk)
    assert desk.asked[0].payload["counter"] == 4
    assert desk.asked[0].payload["deadline"] == SOON


def test_the_same_request_is_lodged_once(desk: Lodging) -> None:
    first = do_lodge(desk)
    again = do_lodge(desk)
    assert (again.body, again.is_replayed, len(desk.asked)) == (first.body, True, 1)


def test_without_a_consent_or_the_bill_in_its_persons_name_there_is_none(desk: Lodging) -> None:
    desk.bills = [changed(invoice_id="inv_2")]
    with pytest.raises(NotOpenedError):
        do_lodge(desk)
    desk.bills, desk.consents = [BILL], []
    with pytest.raises(NotOpenedError):
        do_lodge(desk)
    assert desk.asked == []


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.ALTERED, (
            "payer-bill-altered",
            "票据与账本上的指纹对不上，平台已收到报警；请不要赔付，等平台答复",
            "the stored bill differs from its fingerprint on the ledger: do not pay, the operator "
            "looks into it",
        )),
        (Verdict.CANNOT_TELL, (
            "not-anchored-yet",
            "票据还没有上链，或账本暂时连不上；请过几分钟再试",
            "not on the ledger yet, or it is silent: try again in a few minutes",
        )),
    ],
)  # fmt: skip
def test_a_bill_that_is_not_genuine_never_reaches_the_ledger(
    desk: Lodging, verdict: Verdict, said: tuple[str, str, str]
) -> None:
    desk.verdict = verdict
    assert refused(desk) == said


@pytest.mark.parametrize(
    ("bill", "zh"),
    [
        (changed(kind=3), "这是红票（退费），不能报销"),
        (changed(state="void"), "医院已作废这张票据"),
        (changed(state="reversed"), "医院已对这张票据开具红票"),
        (changed(kind=2, state="void"), "医院已作废这张票据"),
        (changed(kind=2, is_disputed=True), "票号有争议，工作人员正在核实；请过几天再试"),
        (changed(kind=2, is_ruled_against=True), "票号有争议，工作人员正在核实；请过几天再试"),
    ],
)
def test_a_bill_that_no_longer_stands_is_not_lodged(desk: Lodging, bill: Any, zh: str) -> None:
    desk.bills = [bill]
    code, said, _ = refused(desk)
    assert (code, said) == ("payer-bill-stopped", zh)


def test_a_bill_that_was_settled_at_the_counter_needs_no_basic_claim(desk: Lodging) -> None:
    desk.bills, desk.basic, desk.decisions = [changed(kind=2)], None, []
    do_lodge(desk)
    assert len(desk.asked) == 1


def test_a_bill_that_was_corrected_meanwhile_is_read_again_first(desk: Lodging) -> None:
    later = iter([[BILL], [changed(version_id="ver_2")]])
    desk.bills = next(later)
    real = desk._bill_on_ledger

    def moved(key: bytes) -> Any:
        desk.bills = next(later)
        return real(key)

    desk._bill_on_ledger = moved  # type: ignore[method-assign]
    assert refused(desk) == (
        "payer-bill-stopped", "票据刚刚更正过，请重读", "just corrected: read it again",
    )  # fmt: skip


FIRST_BASIC = (
    "payer-basic-first",
    "基本医保还没有办完这张票据；请等办完以后再登记剩余部分",
    "basic insurance has not finished with this bill; lodge the remainder afterwards",
)


@pytest.mark.parametrize(
    "state",
    [state for state in ClaimState if state not in ("settled", "paying", "paid")],
)
def test_while_basic_insurance_has_not_finished_the_bill_waits(
    desk: Lodging, state: ClaimState
) -> None:
    desk.basic = SimpleNamespace(id="clm_1", state=state)
    assert refused(desk) == FIRST_BASIC


@pytest.mark.parametrize("state", [ClaimState.SETTLED, ClaimState.PAYING, ClaimState.PAID])
def test_after_basic_insurance_the_remainder_is_lodged(desk: Lodging, state: ClaimState) -> None:
    desk.basic = SimpleNamespace(id="clm_1", state=state)
    do_lodge(desk)
    assert len(desk.asked) == 1


def test_without_a_decision_in_effect_basic_insurance_has_not_finished(desk: Lodging) -> None:
    desk.paid_version = 0
    assert refused(desk) == FIRST_BASIC
    desk.basic = None
    assert refused(desk) == FIRST_BASIC, "nobody has claimed it"


@pytest.mark.parametrize(("position", "account"), [(None, "0x9"), (BILL, None)])
def test_a_bill_or_payer_that_is_not_on_the_ledger_waits(
    desk: Lodging, position: Any, account: str | None
) -> None:
    desk.position, desk.account = position, account
    assert refused(desk) == (
        "not-anchored-yet",
        "票据还没有上链；请过几分钟再试",
        "the bill is not on the ledger yet: try again in a few minutes",
    )


def test_one_claim_at_a_time_and_none_after_a_settlement(desk: Lodging) -> None:
    desk.claims, desk.calls = {"pcl_1": CLAIM}, [call()]
    assert refused(desk) == (
        "payer-claim-open",
        "您已有一笔登记 pcl_1，请在那一笔上继续",
        "you hold claim pcl_1: go on with that one",
    )
    desk.calls = [call(), call(IntentKind.SETTLE)]
    assert refused(desk) == (
        "payer-settled-before",
        "您已核销过这张票据（pcl_1），一方只能核销一次，不用再登记",
        "you have settled this bill as pcl_1: a payer settles once",
    )
    desk.calls = [call(), call(IntentKind.RELEASE)]
    do_lodge(desk)
    assert desk.claims["pcl_new"].attempt == 2


# --- the decision that is shown -------------------------------------------------------------------


def shown(desk: Lodging) -> Any:
    with desk as work:
        return decision_in_effect(work, "inv_1")


def test_the_decision_shown_is_the_newest_that_the_ledger_settled(desk: Lodging) -> None:
    later = SimpleNamespace(version=2, outcome="approved", explanation="{}")
    desk.decisions = [DECISION, later]
    assert shown(desk) is DECISION
    desk.paid_version = 2
    assert shown(desk) is later
    desk.paid_version = 3
    assert shown(desk) is None


def test_a_claim_that_is_not_in_effect_shows_nothing_but_its_refusal(desk: Lodging) -> None:
    refusal = SimpleNamespace(version=1, outcome="refused", explanation="{}")
    desk.basic, desk.latest = None, SimpleNamespace(id="clm_1", state=ClaimState.REFUSED)
    assert shown(desk) is None, "its newest decision refuses nothing"
    desk.decisions = [refusal]
    assert shown(desk) is refusal
    desk.latest = SimpleNamespace(id="clm_1", state=ClaimState.WITHDRAWN)
    assert shown(desk) is None
    desk.latest = None
    assert shown(desk) is None


RECORD = {
    "institution_name": "示例市第一医院", "total_fen": 40_000, "diagnosis_name": "",
    "payer_name": None, "secret": "not named",
    "lines": [{"name": "布洛芬缓释胶囊", "amount": "13.90", "doctor": "测试医生"}],
}  # fmt: skip


@pytest.fixture
def opened(desk: Lodging, monkeypatch: pytest.MonkeyPatch) -> Lodging:
    monkeypatch.setattr(opening, "read_record", lambda work, bill: RECORD)
    desk.decisions = [
        SimpleNamespace(
            version=1, outcome="approved",
            explanation=json.dumps({"paid_fen": 6_000, "hospital_code": "H1"}),
        )
    ]  # fmt: skip
    return desk


HEADER = {"institution_name": "示例市第一医院", "total_fen": 40_000}
LINES = [{"name": "布洛芬缓释胶囊", "amount": "13.90"}]
RESULT = {"paid_fen": 6_000}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("header", (HEADER, None, None)),
        ("lines", (None, LINES, None)),
        ("decision", (None, None, RESULT)),
        ("header,lines,decision", (HEADER, LINES, RESULT)),
    ],
)
def test_exactly_what_was_ticked_is_shown_and_no_field_that_is_not_named(
    opened: Lodging, parts: str, expected: Any
) -> None:
    opened.consents = [replace(CONSENT, parts=parts)]
    found = opened_bill(opened.deps, PAYER, "inv_1")
    assert (found.header, found.lines, found.decision) == expected
    assert (found.invoice_key, found.claim) == (KEY, None)


def test_a_decision_that_does_not_exist_is_an_empty_one(opened: Lodging) -> None:
    opened.consents = [replace(CONSENT, parts="decision")]
    opened.paid_version = 0
    assert opened_bill(opened.deps, PAYER, "inv_1").decision == {}


def test_each_day_of_reading_is_kept_once_before_anything_is_answered(opened: Lodging) -> None:
    opened_bill(opened.deps, PAYER, "inv_1")
    assert opened.readings == [Reading("cns_1", dt.date(2026, 11, 20), "header,lines", NOW)]
    opened_bill(opened.deps, PAYER, "inv_1")
    assert (len(opened.readings), opened.commits) == (1, 1)
    opened.consents = []
    with pytest.raises(NotOpenedError):
        opened_bill(opened.deps, PAYER, "inv_1")
    assert len(opened.readings) == 1


# --- giving a consent -----------------------------------------------------------------------------

FORM = Asked("9", ("lines", "header"), "90", is_agreed=True, form_token="f" * 16)


def give(desk: Lodging, form: Asked = FORM) -> Any:
    return give_consent(desk.deps, "per_1", "inv_1", form)


def test_a_consent_keeps_what_was_ticked_for_how_long_and_the_text(desk: Lodging) -> None:
    desk.consents = []
    given = give(desk)
    assert desk.given == [given] and desk.commits == 1
    assert (given.parts, given.given_at, given.until) == (
        "header,lines", NOW, NOW + dt.timedelta(days=90),
    )  # fmt: skip
    assert (given.person_id, given.invoice_id, given.payer_number) == ("per_1", "inv_1", 9)
    text = consent_text("示例人寿", (Part.HEADER, Part.LINES), 90)
    assert given.text_digest == hashlib.sha256(text.encode()).digest()
    (notice,) = desk.notices
    assert (notice.kind, notice.zh) == (
        "payer-consent", "您同意把一张票据给“示例人寿”看，90 天内有效，可以随时撤回。",
    )  # fmt: skip
    assert notice.en == (
        "You opened a bill to “示例人寿” for 90 days. You can take it back at any time."
    )


def test_the_newest_consent_alone_holds(desk: Lodging) -> None:
    ended = replace(CONSENT, id="cns_0", until=NOW)
    desk.consents = [CONSENT, ended]
    give(desk)
    assert desk.revoked == ["cns_1"], "what has ended is not ended again"


def test_the_same_form_again_is_the_same_consent(desk: Lodging) -> None:
    same = replace(CONSENT, form_token="f" * 16)
    desk.consents = [CONSENT, same]
    assert give(desk) == same
    assert (desk.given, desk.commits) == ([], 0)


@pytest.mark.parametrize("number", ["8", "09", "", "x"])
def test_an_insurer_that_is_none_is_refused(desk: Lodging, number: str) -> None:
    with pytest.raises(ConsentRefusedError) as caught:
        give(desk, replace(FORM, payer=number))
    assert (caught.value.zh, caught.value.en) == ("请选择一家保险公司", "choose an insurer")


def test_a_form_that_was_used_for_another_bill_is_refused(desk: Lodging) -> None:
    desk.is_new_form = False
    with pytest.raises(ConsentRefusedError) as caught:
        give(desk)
    assert (caught.value.zh, caught.value.en) == (
        "页面已用过，请返回重试", "the page was used before: go back and try again",
    )  # fmt: skip
    assert desk.commits == 0


def test_fifty_consents_are_kept_for_a_bill_and_not_one_more(desk: Lodging) -> None:
    desk.consents = [replace(CONSENT, id=f"cns_{n}", revoked_at=NOW) for n in range(49)]
    give(desk)
    desk.consents.append(replace(CONSENT, id="cns_49"))
    with pytest.raises(ConsentRefusedError) as caught:
        give(desk)
    assert (caught.value.zh, caught.value.en) == (
        "这张票据的同意次数太多，请打电话 12393",
        "too many consents were given for this bill: call 12393",
    )


@pytest.mark.parametrize("bills", [[], [changed(invoice_id="inv_2")], [changed(kind=3)]])
def test_nobody_opens_another_persons_bill_or_a_refund(desk: Lodging, bills: Any) -> None:
    desk.bills = bills
    with pytest.raises(NotFoundError, match="there is no such bill") as caught:
        give(desk)
    assert caught.value.zh == "没有这张票据"
    desk.bills = [changed(kind=3), changed(invoice_id="inv_2"), BILL]
    with desk as work:
        assert own_bill(desk.deps, work, "per_1", "inv_1") is BILL


def test_what_a_citizen_opened_is_told_with_who_read_it(
    desk: Lodging, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(CONSENT, id="cns_2", invoice_id="inv_9")
    ended = replace(CONSENT, id="cns_3", until=NOW, parts="decision")
    reading = Reading("cns_1", dt.date(2026, 11, 20), "header,lines", NOW)
    desk.calls = [call()]
    with desk as work:
        work.second_payers.consents_of_person = lambda person: [CONSENT, other, ended]
        work.second_payers.readings_of = lambda ids: [reading]
        work.second_payers.claims_of_person = lambda person: [CLAIM]
        found = consent.shared_by(desk.deps, work, "per_1")
    assert [one.consent.id for one in found] == ["cns_1", "cns_3"], (
        "a bill that is no longer theirs"
    )
    first, last = found
    assert (first.is_live, first.readings, first.claim) == (True, (reading,), CLAIM)
    assert first.standing is not None and first.standing.phase == "lodged"
    assert (last.is_live, last.readings, last.claim, last.standing) == (False, (), None, None)
    assert first.payer_name == "payer 9" and first.bill is BILL
    assert [text.partition("：")[0] for text in first.parts_zh] == ["票面", "费用明细"]
    assert [text.partition("：")[0] for text in last.parts_zh] == ["医保的核定结果"]
