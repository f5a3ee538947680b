"""After a restored backup: what the bank was told is never paid again, and never guessed."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.claim import ClaimState
from backend.domain.errors import ConflictError, NotFoundError
from backend.service_layer.anchoring.adopt import Line
from backend.service_layer.claims.records import Claim, Payout
from backend.service_layer.money_reconciliation import adopt
from backend.service_layer.payout.ports import BadPaymentFileError, BadStatusFileError
from backend.service_layer.payout.records import IncomingFile, Lane, PaymentFile, PaymentItem
from backend.service_layer.payout.stored import StoredFile
from tests.unit.payout.payables import CLAIM, NOW, PAYABLE
from tests.unit.payout.payout_office import FUND, Office, decision, intent

HOUR = dt.timedelta(hours=1)
MADE = NOW - 20 * HOUR  # 06:00 UTC of the day before: 14:00 in Shanghai
OWED = replace(PAYABLE, id="pay_C1_v1")
SECOND = replace(CLAIM, id="clm_2", number="C2")
OPEN, FAILED = SimpleNamespace(has_failed=False), SimpleNamespace(has_failed=True)


def item(name: str = "C1-V1-A1", fen: int = 6_000, **fields: Any) -> PaymentItem:
    values = {
        "holder": "测试甲子", "account_number": "TEST-6217", "bank_name": "示例银行（测试）" * 10,
        "bank_code": "102", "purpose": "医保报销款",
    }  # fmt: skip
    return PaymentItem(name, fen, **(values | fields))


def ours(*items: PaymentItem, name: str = "YC1", at: dt.datetime = MADE) -> PaymentFile:
    return PaymentFile(name, at, at.date(), Lane.INSTANT, "户", "TEST-FUND-330800", "", items)


@dataclass
class Restored(Office):
    """An office whose backup is older than what lies on the bank's side."""

    handed: dict[str, PaymentFile | BadPaymentFileError] = field(default_factory=dict)
    received: dict[str, dt.datetime | None] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    known_messages: list[Any] = field(default_factory=list)
    cases: dict[str, Any] = field(default_factory=dict)
    resolved: list[tuple[str, str, str]] = field(default_factory=list)
    late: list[Any] = field(default_factory=list)
    on_record: list[tuple[int, bytes]] = field(default_factory=list)
    kept_alive: int = 0

    @property
    def payees(self) -> Any:
        rows = [
            SimpleNamespace(row=SimpleNamespace(version=version, number_lookup=lookup))
            for version, lookup in self.on_record
        ]
        return SimpleNamespace(accounts_of=lambda _: rows)

    @property
    def deps(self) -> Any:
        def read(content: bytes) -> Any:
            at = self.received[content.decode()]
            if at is None:
                raise BadStatusFileError("读不出", "no GrpHdr")
            return SimpleNamespace(created_at=at)

        def read_payment(content: bytes) -> PaymentFile:
            found = self.handed[content.decode()]
            if isinstance(found, BadPaymentFileError):
                raise found
            return found

        files = SimpleNamespace(
            is_simulated=True,
            handed_over=lambda: [IncomingFile(f"{it}.xml", it.encode()) for it in self.handed],
            received=lambda: [IncomingFile(it, it.encode()) for it in self.received],
        )
        return SimpleNamespace(
            **vars(super().deps)
            | {
                "bank": files,
                "settings": SimpleNamespace(payout=self.rules, region="330800", case_hours=48),
                "payment_format": SimpleNamespace(read=read, read_payment=read_payment),
                "secret_box": SimpleNamespace(
                    wrap=lambda content, name: content + b"|" + name.encode(),
                    unwrap=lambda wrapped, name: wrapped.removesuffix(b"|" + name.encode()),
                    lookup=lambda purpose, text: f"{purpose}:{text}".encode(),
                ),
            }
        )

    @property
    def money_rules(self) -> Any:
        return SimpleNamespace(
            known_names=lambda: (self.known, None), messages=lambda: self.known_messages
        )

    @property
    def claims(self) -> Any:
        def by_number(number: str) -> Claim:
            for one in self.held.values():
                if one.number == number:
                    return one
            raise NotFoundError("没有这个受理号", "there is no claim of that number")

        return SimpleNamespace(**vars(super().claims) | {"by_number": by_number})

    @property
    def payments(self) -> Any:
        def by_message(name: str) -> StoredFile | None:
            return next((stored for stored, _ in self.files if stored.message_id == name), None)

        def message(name: str, digest: bytes) -> Any:
            assert digest == hashlib.sha256(name.encode()).digest()
            return SimpleNamespace(verdict="booked")

        return SimpleNamespace(
            **vars(super().payments)
            | {
                "file_by_message": by_message, "message": message,
                "add_attempts": self.late.extend,
            }
        )  # fmt: skip

    @property
    def reconciliation(self) -> Any:  # type: ignore[override]
        def put_case(name: str, kind: str, detail: dict[str, Any], due: Any = None) -> None:
            self.cases[name] = SimpleNamespace(id=name, kind=kind, detail=detail, due_at=due)

        def resolve_case(*said: str) -> bool:
            self.resolved.append(said)  # type: ignore[arg-type]
            return True

        return SimpleNamespace(
            put_case=put_case,
            resolve_case=resolve_case,
            open_cases=lambda: list(self.cases.values()),
            holding_cases=list,
        )

    def adopt(self) -> list[Line]:
        def keep() -> None:
            self.kept_alive += 1

        return adopt.adopt_bank(self.deps, keep)


def restored(*payables: Payout, claim: Claim = CLAIM, **fields: Any) -> Restored:
    return Restored(
        held={"clm_1": claim, "clm_2": SECOND}, payables=list(payables),
        intents=[intent(claim, 6_000), intent(SECOND, 6_000)],
        made=[decision(claim, 1, 5_000, 1_000), decision(SECOND, 1, 5_000, 1_000)], **fields,
    )  # fmt: skip


def lost(one: Restored, name: str = "C1-V1-A1") -> str:
    """Why an instruction is a case; nothing was stored or booked as its attempt."""
    assert [attempts for _, attempts in one.files] == [[]] and one.booked == []
    # A case that nobody has to deal with by a time would be forgotten.
    assert one.cases[f"bank-payment:{name}"].due_at == NOW + dt.timedelta(hours=48)
    detail = one.cases[f"bank-payment:{name}"].detail
    assert one.open == {("reconcile-case", f"bank-payment:{name}"): "bank-payment"}
    assert (detail["end_to_end_id"], detail["file"]) == (name, "YC1")
    return str(detail["why"])


# --- our files ------------------------------------------------------------------------------------


def test_a_file_of_ours_is_stored_again_with_the_attempt_that_it_named() -> None:
    waiting = replace(CLAIM, waiting_for="payout-run")
    one = restored(OWED, claim=waiting, funds={"clm_1": replace(FUND, region="330900")})
    one.handed = {"YC1": ours(item())}
    one.open = {("payment-returned", "clm_1"): ""}
    assert one.adopt() == [Line("adopted", "payment C1-V1-A1", "claim C1: 6000 fen")]
    ((stored, (attempt,)),) = one.files
    assert stored == StoredFile(
        "pfl_1", "YC1", Lane.INSTANT, "330900", MADE, 1, 6_000, hashlib.sha256(b"YC1").digest(),
        b"YC1|pfl_1", NOW,
    )  # fmt: skip
    assert (attempt.id, attempt.payout_id, attempt.claim_id, attempt.person_id) == (
        "pay_C1_v1_a1", "pay_C1_v1", "clm_1", "per_1",
    )  # fmt: skip
    assert (attempt.attempt, attempt.end_to_end_id, attempt.account_version) == (1, "C1-V1-A1", 3)
    assert attempt.wrapped_holder == "测试甲子|pay_C1_v1_a1:holder".encode()
    assert attempt.wrapped_account == b"TEST-6217|pay_C1_v1_a1:account"
    assert (attempt.account_tail, len(attempt.bank_name), attempt.amount_fen) == ("6217", 60, 6_000)
    assert (attempt.lane, attempt.region, attempt.file_id) == (Lane.INSTANT, "330900", "pfl_1")
    assert (attempt.instructed_on, attempt.created_at) == (dt.date(2026, 11, 19), MADE)
    assert [(str(it.kind), it.occasion.source_id) for it in one.booked] == [
        ("instructed", "pay_C1_v1_a1")
    ]
    assert one.moves == [("clm_1", "paying", {"waiting_for": None})]
    assert one.open == {} and one.turns == [Lane.DAILY] and one.commits == 1
    assert one.kept_alive == 2, "once a file and once before what is late"


def test_a_payable_that_the_backup_has_lost_is_owed_again_and_not_paid_again() -> None:
    one = restored(claim=replace(CLAIM, state=ClaimState.SETTLED))
    one.handed = {"YC1": ours(item())}
    one.adopt()
    assert [owed.id for owed in one.payables] == ["pay_C1_v1"]
    assert [str(it.kind) for it in one.booked] == ["approved", "instructed"]


@pytest.mark.parametrize("account", [None, "TEST-9999"])
def test_an_account_that_is_not_on_record_has_no_version(account: str | None) -> None:
    one = restored(OWED)
    one.handed = {"YC1": ours(item(account_number=account or "TEST-6217"))}
    if account is None:
        one.account = None
    one.adopt()
    assert one.files[0][1][0].account_version == 0


def test_an_account_on_record_that_is_not_in_effect_now_has_its_own_version() -> None:
    one = restored(OWED)
    one.handed = {"YC1": ours(item(account_number="TEST-9999"))}
    one.on_record = [(3, b"payee-account:102/TEST-9999"), (4, b"payee-account:102/TEST-9999"),
                     (5, b"payee-account:103/TEST-9999")]  # fmt: skip
    one.adopt()
    assert one.files[0][1][0].account_version == 4


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (item("SALARY-1"), "its name is not one of ours"),
        (item("C9-V1-A1"), "its claim is not here"),
        (item("C1-V2-A1"), "no settlement of that version is final here"),
        (item(fen=5_999), "settled were 6000 fen"),
        (item("C1-V1-A2"), "the attempt before it is not over here"),
    ],
)
def test_what_cannot_be_shown_to_be_ours_is_a_case_and_holds_its_claim(
    named: PaymentItem, why: str
) -> None:
    one = restored(OWED)
    one.handed = {"YC1": ours(named)}
    (line,) = one.adopt()
    subject = f"bank-payment:{named.end_to_end_id}"
    assert line == Line("case", subject, f"{named.amount_fen} fen; {why}")
    assert line.words is not None and line.words[0].startswith("已交银行的付款 ")
    assert lost(one, named.end_to_end_id) == why
    detail = one.cases[subject].detail
    known = named.end_to_end_id.startswith("C1")
    assert detail.get("holds_payout_of") == ("clm_1" if known else None)
    assert detail["amount_fen"] == named.amount_fen


@pytest.mark.parametrize(
    ("tried", "named", "why"),
    [
        ([OPEN], "C1-V1-A1", "the same instruction stands in another file"),
        ([FAILED], "C1-V1-A1", "the same instruction stands in another file"),
        ([OPEN], "C1-V1-A2", "the attempt before it is not over here"),
        ([FAILED], "C1-V1-A3", "the attempt before it is not over here"),
    ],
)
def test_one_attempt_follows_another_only_when_that_one_has_failed(
    tried: list[Any], named: str, why: str
) -> None:
    one = restored(OWED, attempts={"pay_C1_v1": tried})
    one.handed = {"YC1": ours(item(named))}
    one.adopt()
    assert lost(one, named) == why


def test_after_a_failure_the_next_attempt_is_the_one_that_the_bank_was_told() -> None:
    one = restored(OWED, attempts={"pay_C1_v1": [FAILED]})
    one.handed = {"YC1": ours(item("C1-V1-A2"))}
    one.adopt()
    assert [it.id for it in one.files[0][1]] == ["pay_C1_v1_a2"]


@pytest.mark.parametrize("state", [ClaimState.PAID, ClaimState.REVERSED, ClaimState.WITHDRAWN])
def test_what_a_claim_does_not_owe_in_its_state_is_a_case(state: ClaimState) -> None:
    one = restored(claim=replace(CLAIM, state=state))
    one.handed = {"YC1": ours(item())}
    one.adopt()
    assert lost(one) == f"the claim is {state}" and one.payables == []


def test_the_rest_of_a_file_is_stored_without_what_is_lost() -> None:
    one = restored(OWED, replace(OWED, id="pay_C2_v1", claim_id="clm_2"))
    one.handed = {"YC1": ours(item("C9-V1-A1"), item("C2-V1-A1"), item())}
    one.funds = {"clm_2": replace(FUND, region="330900")}
    lines = one.adopt()
    ((stored, attempts),) = one.files
    assert [it.end_to_end_id for it in attempts] == ["C2-V1-A1", "C1-V1-A1"]
    assert (stored.region, stored.item_count, stored.control_sum_fen) == ("330900", 3, 18_000)
    assert [line.verdict for line in lines] == ["adopted", "adopted", "case"]


def test_what_is_known_or_does_not_open_is_no_payment() -> None:
    one = restored(OWED)
    one.handed = {"YC1": ours(item()), "YC2": BadPaymentFileError("读不出", "no GrpHdr")}
    one.known = {"YC1"}
    assert one.adopt() == [Line("case", "bank-copy:YC2.xml", "our copy at the bank: no GrpHdr")]
    assert one.cases["bank-copy:YC2.xml"].kind == "bank-copy"
    assert one.cases["bank-copy:YC2.xml"].due_at == NOW + dt.timedelta(hours=48)
    assert one.cases["bank-copy:YC2.xml"].detail == {"name": "YC2.xml", "why": "no GrpHdr"}
    assert one.files == [] and one.commits == 1


# --- the bank's files and the order of all --------------------------------------------------------


def taking(monkeypatch: pytest.MonkeyPatch, one: Restored, ends: str = "") -> list[str]:
    """What is taken in; with ``ends`` the first attempt has failed by that report."""
    taken: list[str] = []

    def take_in(deps: Any, file: IncomingFile) -> bool:
        taken.append(file.name)
        if file.name == "odd":
            raise ConflictError("冲突", "booked otherwise")
        if file.name == ends:
            one.attempts["pay_C1_v1"] = [FAILED]
        return file.name != "early"

    monkeypatch.setattr(adopt, "take_in", take_in)
    return taken


def test_a_second_attempt_waits_for_the_report_that_ended_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = restored(OWED)
    # By their times the second file is before the report of the first one.
    one.handed = {"YC1": ours(item()), "YC2": ours(item("C1-V1-A2"), name="YC2", at=MADE + HOUR)}
    one.received = {"R1": MADE + 2 * HOUR}
    one.known = {"YC1"}
    one.attempts = {"pay_C1_v1": [OPEN]}
    assert taking(monkeypatch, one, ends="R1") == []
    assert [line.what for line in one.adopt()] == ["bank file R1", "payment C1-V1-A2"]
    assert [it.id for _, attempts in one.files for it in attempts] == ["pay_C1_v1_a2"]


def test_reports_are_booked_in_their_order_and_each_says_what_became_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = restored(OWED)
    one.handed = {"YC1": ours(item())}
    one.received = {
        "bad": None, "odd": MADE + 2 * HOUR, "early": MADE + HOUR, "R1": MADE,
        "20261119-R0": MADE, "R9": MADE,
    }  # fmt: skip
    one.known_messages = [
        SimpleNamespace(name="R0", digest=hashlib.sha256(b"20261119-R0").digest()),
        SimpleNamespace(name="R9", digest=b"another content"),
    ]
    taken = taking(monkeypatch, one)
    lines = one.adopt()
    assert taken == ["R1", "R9", "early", "odd", "bad"]
    assert [(line.verdict, line.what, line.detail) for line in lines] == [
        ("adopted", "payment C1-V1-A1", "claim C1: 6000 fen"),
        ("adopted", "bank file R1", "booked"), ("adopted", "bank file R9", "booked"),
        ("case", "bank file early", "waits for the report of the payment"),
        ("case", "bank file odd", "conflict: booked otherwise"),
        ("adopted", "bank file bad", "booked"),
    ]  # fmt: skip


# --- claims that come back later ------------------------------------------------------------------


def test_a_lost_payment_is_matched_when_its_claim_has_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booked_late: list[Any] = []
    monkeypatch.setattr(adopt, "book_late", lambda deps, work, *named: booked_late.append(named))
    one = restored(OWED)
    one.handed = {"YC1": ours(item())}
    held = one.held
    one.held = {}
    one.adopt()
    assert lost(one) == "its claim is not here" and booked_late == []
    one.held, one.known = held, {"YC1"}
    assert one.adopt() == [Line("adopted", "payment C1-V1-A1", "claim C1: 6000 fen")]
    assert [it.id for it in one.late] == ["pay_C1_v1_a1"]
    assert [str(it.kind) for it in one.booked][-1] == "instructed"
    assert one.cases["bank-payment:C1-V1-A1"].detail["matched"] is True
    assert one.resolved == [("bank-payment:C1-V1-A1", "reconcile", "its claim was found")]
    assert booked_late == [("YC1", frozenset({"C1-V1-A1"}))] and one.open == {}
