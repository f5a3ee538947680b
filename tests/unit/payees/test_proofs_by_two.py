"""An account without a bank that can be asked: two people, one document, and nothing in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import ConflictError, DomainError, NotFoundError
from backend.domain.payee import AccountRefusedError
from backend.domain.two_people import SamePersonError
from backend.service_layer.claims.records import Person
from backend.service_layer.payees.proof import Seen, confirm_proof, propose_proof, refuse_proof
from backend.service_layer.payees.records import Account, AccountRow, Notice, Proof
from tests.unit.payees.test_whose_account import ADULT, DAY, NOW, row

DELAY = dt.timedelta(hours=72)
COPY, OTHER = b"copy of the bank book", b"another copy"
NAMED = row(1, verdict="unchecked", effective_at=None)
EARLIER = row(1, verdict="match", effective_at=NOW - DAY)
CHANGE = row(2, verdict="unchecked", effective_at=None, tail="2222")
ACTS: tuple[Callable[..., Any], ...] = (propose_proof, confirm_proof, refuse_proof)


def seen(by: str, digest: bytes = COPY) -> Seen:
    return Seen(f" {by} ", " 存折与身份证一致 ", digest)


class Window:
    """The accounts of one person with their proofs; what is written counts when committed."""

    def __init__(self, *rows: AccountRow, person: Person = ADULT) -> None:
        self.accounts = [Account(one) for one in rows]
        self.person = person
        self.proofs: list[Proof] = []
        self.notices: list[Notice] = []
        self.locked: list[str] = []
        self.made = 0
        self.commits = 0

    def new_id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_new{self.made}"

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=lambda: self,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=self.new_id),
            settings=SimpleNamespace(payee_delay=DELAY),
            secret_box=SimpleNamespace(
                wrap=lambda content, name: content + b"|" + name.encode(),
                unwrap=lambda wrapped, name: wrapped + b" of " + name.encode(),
            ),
        )

    @property
    def people(self) -> Any:
        return SimpleNamespace(
            lock=self.locked.append, get=lambda name: {self.person.id: self.person}[name]
        )

    @property
    def staff(self) -> Any:
        return SimpleNamespace(all=lambda: [])

    @property
    def payees(self) -> Any:
        return SimpleNamespace(
            accounts_of=lambda name: self.accounts if name == "per_1" else [],
            proofs_of=lambda name: [one for one in self.proofs if one.account_id == name],
            add_proof=self.proofs.append,
            add_account=lambda made: self.accounts.append(Account(made)),
            contact_of=lambda name: SimpleNamespace(id="con_1") if name == "per_1" else None,
            add_notice=self.notices.append,
            guardians_of=lambda minor: [],
        )

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1

    def refuses(
        self, act: Callable[..., Any], by: Seen, error: type[DomainError], *words: str,
        version: int = 1,
    ) -> None:  # fmt: skip
        before = (list(self.proofs), list(self.accounts), self.commits)
        with pytest.raises(error) as caught:
            act(self.deps, "per_1", version, by)
        assert (caught.value.zh, caught.value.en) == words
        assert (self.proofs, self.accounts, self.commits) == before and self.notices == []


def test_a_first_account_is_payable_without_delay_when_two_have_seen_one_copy() -> None:
    window = Window(NAMED)
    propose_proof(window.deps, "per_1", 1, seen("窗口甲"))
    assert window.proofs == [
        Proof("acc_1", 1, "proposed", "窗口甲", "存折与身份证一致", COPY, NOW, None)
    ]
    assert len(window.accounts) == 1 and window.commits == 1
    made = confirm_proof(window.deps, "per_1", 1, seen("窗口乙"))
    assert made == replace(
        NAMED, id="acc_new1", version=2, verdict="match", effective_at=NOW, declared_at=NOW,
        form_token="proof:acc_1",
        wrapped_number=b"TEST-6217 of payee-account/acc_1|payee-account/acc_new1",
    )  # fmt: skip
    assert window.accounts[1].row == made
    assert window.proofs[1] == Proof(
        "acc_1", 2, "confirmed", "窗口乙", "存折与身份证一致", COPY, NOW, "acc_new1"
    )
    assert window.notices == [] and window.commits == 2 and window.locked == ["per_1", "per_1"]


def test_a_change_waits_and_is_announced_to_the_contact_that_is_known_now() -> None:
    window = Window(EARLIER, CHANGE)
    propose_proof(window.deps, "per_1", 2, seen("窗口甲"))
    made = confirm_proof(window.deps, "per_1", 2, seen("窗口乙"))
    assert (made.version, made.effective_at) == (3, NOW + DELAY)
    (notice,) = window.notices
    assert (notice.person_id, notice.kind, notice.contact_id) == (
        "per_1", "account-change", "con_1",
    )  # fmt: skip
    # 72 hours later by the clock of Shanghai.
    assert notice.zh == (
        "您的医保报销收款账户将从 2026年11月23日 10:00 起改为示例银行（测试）尾号 2222。"
        "不是您本人办的，请在此之前打开“一触即办”的“收款账户”撤销，或拨打 12393。"
    )
    assert notice.en == (
        "From 2026-11-23 10:00 your benefits go to 示例银行（测试）, ending 2222. "
        "If this was not you, cancel it under 收款账户 before then, or call 12393."
    )


def test_the_same_said_again_by_the_same_person_is_one_and_by_another_the_newest_counts() -> None:
    window = Window(NAMED)
    for by in (seen("窗口甲"), seen("窗口甲"), seen("窗口甲", OTHER), seen("窗口乙", OTHER)):
        propose_proof(window.deps, "per_1", 1, by)
    assert [(one.ordinal, one.by, one.document_digest) for one in window.proofs] == [
        (1, "窗口甲", COPY), (2, "窗口甲", OTHER), (3, "窗口乙", OTHER),
    ]  # fmt: skip
    assert confirm_proof(window.deps, "per_1", 1, seen("窗口甲", OTHER)).version == 2


def test_one_person_never_does_both_halves() -> None:
    window = Window(NAMED)
    propose_proof(window.deps, "per_1", 1, seen("窗口甲"))
    window.refuses(
        confirm_proof, seen("窗口甲"), SamePersonError,
        "这一步要另一个人来做：前一步是 窗口甲 做的",
        "another person does this: 窗口甲 did the step before",
    )  # fmt: skip


def test_another_document_confirms_nothing() -> None:
    window = Window(NAMED)
    propose_proof(window.deps, "per_1", 1, seen("窗口甲"))
    window.refuses(
        confirm_proof, seen("窗口乙", OTHER), ConflictError,
        "这不是第一个人看过的那份材料，没有确认",
        "this is another document than the first person has seen: not confirmed",
    )  # fmt: skip


def test_nothing_is_confirmed_that_nobody_has_seen() -> None:
    Window(NAMED).refuses(
        confirm_proof, seen("窗口乙"), ConflictError,
        "还没有人核对过证明：先由一个人核对登记，再由另一个人确认",
        "nobody has seen a proof yet: one person sees it, another one confirms",
    )  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_a_refused_proof_is_over(act: Callable[..., Any]) -> None:
    window = Window(NAMED)
    refuse_proof(window.deps, "per_1", 1, seen("窗口甲"))
    assert [(one.action, one.by, one.confirmed_id) for one in window.proofs] == [
        ("refused", "窗口甲", None)
    ]
    assert window.commits == 1
    window.refuses(
        act, seen("窗口乙"), ConflictError,
        "这个账户的证明已核完", "the proof of this account is over",
    )  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_an_account_that_is_not_there_is_not_proved(act: Callable[..., Any]) -> None:
    Window(NAMED).refuses(
        act, seen("窗口甲"), NotFoundError, "没有这个账户", "there is no such account", version=2
    )


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("verdict", ["match", "no-match", "closed", "unknown"])
def test_no_proof_takes_the_place_of_a_banks_answer(act: Callable[..., Any], verdict: str) -> None:
    Window(replace(NAMED, verdict=verdict)).refuses(
        act, seen("窗口甲"), AccountRefusedError,
        "这个账户银行已经答复过，不用材料核验",
        "a bank was asked about this account: no proof takes its place",
    )  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_only_the_newest_account_is_proved(act: Callable[..., Any]) -> None:
    Window(CHANGE, NAMED).refuses(
        act, seen("窗口甲"), AccountRefusedError,
        "这个人后来又填了别的账户，请核对最新的一个",
        "the person has named another account since: check the newest one",
    )  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("changed", [{"holder": "测试甲丑"}, {"holder_id": "per_3"}])
def test_an_account_in_another_name_by_now_is_named_again(
    act: Callable[..., Any], changed: dict[str, Any]
) -> None:
    Window(replace(NAMED, **changed)).refuses(
        act, seen("窗口甲"), AccountRefusedError,
        "户名应有变化（成年、监护人或姓名变更），请重新填写账户",
        "the account would be in another name by now: it has to be named again",
    )  # fmt: skip
