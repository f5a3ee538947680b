"""A report that anybody can check: what stands in it, and what is found when it was changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.errors import NotFoundError
from backend.service_layer.money_reconciliation import report as module
from backend.service_layer.money_reconciliation.cases import Standing
from backend.service_layer.money_reconciliation.records import Mismatch
from backend.service_layer.money_reconciliation.report import (
    MoneyReport,
    ReportError,
    store_report,
    verify_report,
)

NOW = dt.datetime(2026, 11, 20, 10, 30, 15, 999, tzinfo=dt.timezone(dt.timedelta(hours=8)))
HOUR = dt.timedelta(hours=1)
OURS, FORMER, STRANGER = "0xA1", "0xA0", "0xEE"
ROW = Mismatch("R1", "C1", "100", "200", "clm_1")
COPIED = ("report-not-copied", "reconcile")
FIGURES = {"tables": [{"ties": 1}], "balance_statements": [{"region": "330800"}]}


class Keys:
    """A signature that says in clear who made it of what."""

    def sign(self, account: str, digest: bytes) -> bytes:
        return f"{account}|{digest.hex()}".encode()

    def signer_of(self, digest: bytes, signature: bytes) -> str:
        account, _, of = signature.decode().partition("|")
        return account if of == digest.hex() else ""


def standing(row: Mismatch = ROW, case: str = "cas_1", by: str | None = None) -> Standing:
    resolved = None if by is None else NOW
    found: Any = SimpleNamespace(id=case, resolved_at=resolved, resolved_by=by, kind="x")
    return Standing(row, found)


class Cabinet:
    """The reports that were kept; payer 1 has signed with two accounts."""

    def __init__(self) -> None:
        self.reports: list[MoneyReport] = []
        self.open_cases: list[Any] = []
        self.account: str | None = OURS
        self.alarms: list[tuple[str, str]] = []
        self.closed: list[Any] = []
        self.commits = 0
        self.copies: list[MoneyReport] = []
        self.is_full = False

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=self._work,
            clock=SimpleNamespace(now=lambda: NOW),
            settings=SimpleNamespace(payer_number=1),
            signature_reader=Keys(),
            report_copies=self,
        )

    def _work(self, *, write: bool = True) -> Any:
        assert isinstance(write, bool)
        return self

    def __enter__(self) -> Any:
        accounts = {1: [FORMER, OURS]}
        return SimpleNamespace(
            money_reports=SimpleNamespace(
                last=lambda: self.reports[-1] if self.reports else None,
                find=lambda number: next(
                    (one for one in self.reports if one.number == number), None
                ),
                add=self.reports.append,
            ),
            claims=SimpleNamespace(
                payer_account=lambda number: self.account if number == 1 else STRANGER
            ),
            payers=SimpleNamespace(accounts=lambda number: accounts.get(number, [])),
            money_rules=SimpleNamespace(counts=lambda: {"claims": 7, "payments": 5}),
            reconciliation=SimpleNamespace(open_cases=lambda: self.open_cases),
            alarms=SimpleNamespace(
                clear=lambda *key: self.alarms.append(key),
                raise_alarm=lambda *said: self.alarms.append(said),
            ),
            commit=self._commit,
        )

    def keep(self, report: MoneyReport) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        if report not in self.copies:
            self.copies.append(report)

    def above(self, number: int) -> list[MoneyReport]:
        found = [one for one in self.copies if one.number > number]
        return sorted(found, key=lambda one: -one.number)

    def find(self, number: int) -> list[MoneyReport]:
        return [one for one in self.copies if one.number == number]

    def __exit__(self, *_: object) -> None:
        return None

    def _commit(self) -> None:
        self.commits += 1

    def store(self, *rows: Standing) -> MoneyReport:
        return store_report(self.deps, Keys(), rows)

    def verify(self, number: int) -> MoneyReport:
        return verify_report(self.deps, Keys(), number)


@pytest.fixture
def cabinet(monkeypatch: pytest.MonkeyPatch) -> Cabinet:
    made = Cabinet()
    monkeypatch.setattr(
        module, "close_agreeing", lambda work, rows, number: made.closed.append((rows, number))
    )
    monkeypatch.setattr(module, "money_figures", lambda work, now: dict(FIGURES))
    return made


# --- what stands in it ----------------------------------------------------------------------------


def test_a_report_says_what_was_compared_and_each_row_with_its_case(cabinet: Cabinet) -> None:
    books = Mismatch("R18", "agency:bank", "1", "2")
    cabinet.open_cases = [
        SimpleNamespace(id=name, due_at=NOW + hours * HOUR)
        for name, hours in (("cas_1", -1), ("cas_9", -1), ("cas_2", 1))
    ]
    made = cabinet.store(standing(), standing(books, "cas_2", by="甲、乙"))
    said = json.loads(made.text)
    rules = said.pop("rules")
    assert said == {
        "format": "yichu-money-report-2", "number": 1, "made_at": "2026-11-20T02:30:15+00:00",
        "previous_digest": "00" * 32, "lost_reports": 0, "compared": {"claims": 7, "payments": 5},
        "mismatch_count": 2, "overdue_count": 2, **FIGURES,
        "mismatches": [
            ROW.to_record() | {"case": "cas_1", "accepted_by": "", "is_overdue": 1},
            books.to_record() | {"case": "cas_2", "accepted_by": "甲、乙", "is_overdue": 0},
        ],
    }  # fmt: skip
    assert len(rules) == len({rule.split()[0] for rule in rules}) > 15
    assert all(rule.startswith("R") and " " in rule for rule in rules)
    assert made == MoneyReport(
        1, NOW, 2, made.text, hashlib.sha256(made.text.encode()).digest(), bytes(32), OURS,
        f"{OURS}|{hashlib.sha256(made.text.encode()).hexdigest()}".encode(),
    )  # fmt: skip
    assert cabinet.reports == [made] == cabinet.copies


def test_cases_that_it_shows_to_agree_and_the_alarm_of_an_unsigned_one_are_closed_with_it(
    cabinet: Cabinet,
) -> None:
    cabinet.store(standing())
    cabinet.store()
    assert cabinet.closed == [([ROW], 1), ([], 2)]
    assert cabinet.alarms == [("report-unsigned", "reconcile"), COPIED] * 2


def test_each_report_names_the_one_before(cabinet: Cabinet) -> None:
    first, second, third = cabinet.store(), cabinet.store(), cabinet.store()
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (second.previous_digest, third.previous_digest) == (first.digest, second.digest)
    assert json.loads(third.text)["previous_digest"] == second.digest.hex()


def test_a_thousand_rows_are_written_out_and_all_are_counted(cabinet: Cabinet) -> None:
    made = cabinet.store(*[standing()] * 1_001)
    said = json.loads(made.text)
    assert (len(said["mismatches"]), said["mismatch_count"], made.mismatch_count) == (
        1_000, 1_001, 1_001,
    )  # fmt: skip


def test_an_agency_without_an_account_signs_as_nobody(cabinet: Cabinet) -> None:
    cabinet.account = None
    assert cabinet.store().account == ""


# --- after a restored backup ----------------------------------------------------------------------


def restored(cabinet: Cabinet) -> list[MoneyReport]:
    """Three reports were made; the backup has the first one."""
    made = [cabinet.store(), cabinet.store(standing()), cabinet.store()]
    del cabinet.reports[1:]
    return made


def test_reports_do_not_part_after_a_restored_backup(cabinet: Cabinet) -> None:
    _, second, third = restored(cabinet)
    went_on = cabinet.store()
    assert (went_on.number, went_on.previous_digest) == (4, third.digest)
    assert json.loads(went_on.text)["lost_reports"] == 2, "the report itself says so"
    assert json.loads(cabinet.store().text)["lost_reports"] == 0
    # Those that only their copies have are checked as any.
    assert [cabinet.verify(number) for number in (2, 3, 4)] == [second, third, went_on]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, text=one.text.replace("C1", "C2")),
        lambda one: replace(one, signature=b"0xA1|00"),
        lambda one: resigned(one, one.text, STRANGER),
        lambda one: replace(one, number=9),
    ],
)
def test_a_copy_that_the_agency_has_not_signed_is_not_gone_on_from(
    change: Any, cabinet: Cabinet
) -> None:
    first, _, _ = restored(cabinet)
    cabinet.copies[1:] = [change(cabinet.copies[1])]
    assert (cabinet.store().number, cabinet.reports[-1].previous_digest) == (2, first.digest)


def test_a_report_that_could_not_be_copied_is_an_alarm_and_copied_later(cabinet: Cabinet) -> None:
    cabinet.is_full = True
    first = cabinet.store()
    said = (*COPIED, "OSError: No space left on device")
    assert cabinet.reports == [first] and cabinet.copies == [] and said in cabinet.alarms
    cabinet.is_full = False
    second = cabinet.store()
    assert cabinet.copies == [first, second] and cabinet.alarms[-1] == COPIED


# --- what is found --------------------------------------------------------------------------------


def test_genuine_reports_are_given_also_of_a_former_account(cabinet: Cabinet) -> None:
    cabinet.account = FORMER
    first = cabinet.store(standing())
    cabinet.account = OURS
    second = cabinet.store()
    assert (cabinet.verify(1), cabinet.verify(2)) == (first, second)
    with pytest.raises(NotFoundError) as caught:
        cabinet.verify(3)
    assert (caught.value.zh, caught.value.en) == ("没有这份对账报告", "there is no such report")


def test_a_report_of_the_first_format_without_figures_stays_genuine(cabinet: Cabinet) -> None:
    text = (
        '{"compared":{},"format":"yichu-money-report-1","made_at":"2026-11-20T02:30:15+00:00",'
        f'"mismatch_count":0,"mismatches":[],"number":1,"previous_digest":"{"00" * 32}"}}'
    )
    digest = hashlib.sha256(text.encode()).digest()
    old = MoneyReport(1, NOW, 0, text, digest, bytes(32), OURS, Keys().sign(OURS, digest))
    cabinet.reports.append(old)
    assert cabinet.verify(1) == old
    assert cabinet.store().previous_digest == digest and cabinet.verify(2).number == 2


def resigned(report: MoneyReport, text: str, account: str = OURS) -> MoneyReport:
    """As somebody would who can write the row and holds a key."""
    digest = hashlib.sha256(text.encode()).digest()
    return replace(
        report, text=text, digest=digest, account=account, signature=Keys().sign(account, digest)
    )


TEXT = ("内容与摘要不符", "its text is not what was digested")
CHAIN = ("与前一份报告接不上", "it does not follow from the report before")
NOT_ITS = ("签名不对", "its signature is not of its account")
BESIDE = ("列表中的数字与签名内容不符", "the figures beside it are not those signed")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: replace(one, text=one.text + " "), TEXT),
        (lambda one: replace(one, digest=bytes(32)), TEXT),
        (lambda one: replace(one, previous_digest=bytes(32)), CHAIN),
        (lambda one: resigned(one, one.text.replace(one.previous_digest.hex(), "00" * 32)), CHAIN),
        (lambda one: replace(one, signature=Keys().sign(OURS, bytes(32))), NOT_ITS),
        (lambda one: replace(one, account=FORMER), NOT_ITS),
        (
            lambda one: resigned(one, one.text, STRANGER),
            ("签名账户不是本经办机构的", "its account is not one of this agency"),
        ),
        (
            lambda one: resigned(one, one.text.replace("money-report-2", "money-report-3")),
            ("不认识的格式", "its format is not known"),
        ),
        (lambda one: replace(one, mismatch_count=0), BESIDE),
        (lambda one: replace(one, made_at=NOW - HOUR), BESIDE),
        (lambda one: resigned(one, one.text.replace('"number":2', '"number":3')), BESIDE),
    ],
)
def test_a_report_that_was_changed_is_not_believed(
    change: Any, words: tuple[str, str], cabinet: Cabinet
) -> None:
    cabinet.store()
    cabinet.store(standing())
    cabinet.reports[1] = change(cabinet.reports[1])
    with pytest.raises(ReportError) as caught:
        cabinet.verify(2)
    assert (caught.value.zh, caught.value.en) == (
        f"对账报告 2 不可信：{words[0]}", f"report 2 cannot be believed: {words[1]}",
    )  # fmt: skip
    assert cabinet.verify(1).number == 1


def test_a_report_whose_forerunner_was_replaced_is_not_believed(cabinet: Cabinet) -> None:
    cabinet.store(standing())
    cabinet.store()
    cabinet.reports[0] = resigned(cabinet.reports[0], cabinet.reports[0].text.replace("C1", "C2"))
    assert cabinet.verify(1).number == 1, "by itself it is signed"
    with pytest.raises(ReportError, match="does not follow"):
        cabinet.verify(2)
