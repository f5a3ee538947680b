"""The report of a reconciliation: what was compared, what disagrees, the day's figures; signed.

It is signed with the agency's own key on the ledger: anybody who knows the agency's account, as
the ledger shows it, can tell that the report is the agency's and unchanged, without any secret of
the agency. Each report names the digest of the one before, so that none can be left out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from backend.domain.errors import DomainError, NotFoundError
from backend.service_layer.money_reconciliation.cases import Standing, close_agreeing, overdue
from backend.service_layer.money_reconciliation.figures import money_figures
from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.records import RULES
from verifier.commitment.canonical import canonical_bytes

FORMAT: Final = "yichu-money-report-2"
FORMATS: Final = frozenset({"yichu-money-report-1", FORMAT})
"""Format 1 has no figures (``tables``, ``balance_statements``); reports of it stay genuine."""

ROWS_MAX: Final = 1_000
"""Mismatches written out in a report; the number of all of them is always there."""

UNSIGNED: Final = "report-unsigned"
SUBJECT: Final = "reconcile"
"""The alarm of a report that could not be signed; the next one that is stored closes it."""

NOT_COPIED: Final = "report-not-copied"
"""The alarm of a report without its copy outside the database; the next one closes it."""

_FIRST: Final = bytes(32)


class ReportError(DomainError):
    """A stored report that is not the one that was signed."""

    code = "bad-report"


@dataclass(frozen=True, slots=True)
class MoneyReport:
    number: int
    made_at: dt.datetime
    mismatch_count: int
    text: str
    digest: bytes
    previous_digest: bytes
    account: str
    signature: bytes


class SignatureReader(Protocol):
    def signer_of(self, digest: bytes, signature: bytes) -> str:
        """The account that made a signature, empty for bytes that are none."""
        ...


class ReportSigner(Protocol):
    """Signs with a key of the agency on the ledger."""

    def sign(self, account: str, digest: bytes) -> bytes:
        """A signature of 65 bytes; raises KeyUnavailableError without the account's key."""
        ...


def store_report(
    deps: MoneyServices, signer: ReportSigner, standing: Sequence[Standing]
) -> MoneyReport:
    """Write, sign and keep the report of a reconciliation that has just been made, and close in
    the same transaction the cases that it shows to agree."""
    with deps.work() as work:
        here = work.money_reports.last()
        before = _newest(deps, work, here)
        account = work.claims.payer_account(deps.settings.payer_number) or ""
        now = deps.clock.now()
        number = 1 if before is None else before.number + 1
        previous = _FIRST if before is None else before.digest
        lost = number - 1 - (0 if here is None else here.number)
        text = _text(work, number, now, previous, standing, lost=lost)
        digest = hashlib.sha256(text.encode()).digest()
        report = MoneyReport(
            number=number,
            made_at=now,
            mismatch_count=len(standing),
            text=text,
            digest=digest,
            previous_digest=previous,
            account=account,
            signature=signer.sign(account, digest),
        )
        work.money_reports.add(report)
        close_agreeing(work, [one.mismatch for one in standing], number)
        work.alarms.clear(UNSIGNED, SUBJECT)
        work.alarms.clear(NOT_COPIED, SUBJECT)  # raised again below where it still is so
        work.commit()
    _copy(deps, [one for one in (here, report) if one is not None])
    return report


def _newest(deps: MoneyServices, work: Any, here: MoneyReport | None) -> MoneyReport | None:
    """The report that the next one follows: the last one here, or one that only its copy outside
    the database still has, because a backup was restored. No number is given out twice then."""
    accounts = set(work.payers.accounts(deps.settings.payer_number))
    for copy in deps.report_copies.above(0 if here is None else here.number):
        found: MoneyReport = copy
        if _is_genuine(deps.signature_reader, found, accounts):
            return found
    return here


def _is_genuine(reader: SignatureReader, report: MoneyReport, accounts: set[str]) -> bool:
    return (
        hashlib.sha256(report.text.encode()).digest() == report.digest
        and f'"number":{report.number},' in report.text
        and reader.signer_of(report.digest, report.signature) == report.account
        and report.account in accounts
    )


def _copy(deps: MoneyServices, reports: Sequence[MoneyReport]) -> None:
    """Keep the reports outside the database too. The one before once more: the process may have
    died between its transaction and its copy."""
    try:
        for report in reports:
            deps.report_copies.keep(report)
    except OSError as error:
        with deps.work() as work:
            why = f"{type(error).__name__}: {error.strerror}"
            work.alarms.raise_alarm(NOT_COPIED, SUBJECT, why)
            work.commit()


def _text(
    work: Any,
    number: int,
    now: dt.datetime,
    previous: bytes,
    standing: Sequence[Standing],
    *,
    lost: int,
) -> str:
    late = {case.id for case in overdue(work, now)}
    record = {
        "format": FORMAT,
        "number": number,
        "made_at": _second(now),
        "previous_digest": previous.hex(),
        # Reports before this one that the database lacks since a backup was restored.
        "lost_reports": lost,
        "rules": [f"{rule.code} {rule.name}" for rule in RULES],
        "compared": work.money_rules.counts(),
        "mismatch_count": len(standing),
        "mismatches": [
            {
                **one.mismatch.to_record(),
                "case": one.case.id,
                "accepted_by": (one.case.resolved_by or "") if one.is_accepted else "",
                "is_overdue": int(one.case.id in late),
            }
            for one in standing[:ROWS_MAX]
        ],
        "overdue_count": len(late),
        **money_figures(work, now),
    }
    return canonical_bytes(record).decode()


def verify_report(deps: MoneyServices, signer: SignatureReader, number: int) -> MoneyReport:
    """The report, shown to be the one that an account of this agency signed, in its place of the
    chain of reports. Raises :class:`ReportError` when it is not, NotFoundError without it."""
    with deps.work(write=False) as work:
        report: MoneyReport | None = work.money_reports.find(number) or _of_copies(deps, number)
        if report is None:
            raise NotFoundError("没有这份对账报告", "there is no such report")
        before = work.money_reports.find(number - 1) or _of_copies(
            deps, number - 1, report.previous_digest
        )
        accounts = set(work.payers.accounts(deps.settings.payer_number))
    previous = _FIRST if before is None else before.digest
    if hashlib.sha256(report.text.encode()).digest() != report.digest:
        raise _bad(number, "内容与摘要不符", "its text is not what was digested")
    if report.previous_digest != previous or f'"{previous.hex()}"' not in report.text:
        raise _bad(number, "与前一份报告接不上", "it does not follow from the report before")
    if signer.signer_of(report.digest, report.signature) != report.account:
        raise _bad(number, "签名不对", "its signature is not of its account")
    if report.account not in accounts:
        raise _bad(number, "签名账户不是本经办机构的", "its account is not one of this agency")
    said = json.loads(report.text)
    if said["format"] not in FORMATS:
        raise _bad(number, "不认识的格式", "its format is not known")
    beside = (report.number, _second(report.made_at), report.mismatch_count)
    if (said["number"], said["made_at"], said["mismatch_count"]) != beside:
        raise _bad(
            number, "列表中的数字与签名内容不符", "the figures beside it are not those signed"
        )
    return report


def _of_copies(deps: MoneyServices, number: int, digest: bytes = b"") -> MoneyReport | None:
    """A report that a restored database lacks, from its copy; with ``digest`` that one."""
    copies: list[MoneyReport] = deps.report_copies.find(number)
    return next((one for one in copies if digest in (b"", one.digest)), None)


def _second(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")


def _bad(number: int, zh: str, en: str) -> ReportError:
    return ReportError(
        f"对账报告 {number} 不可信：{zh}", f"report {number} cannot be believed: {en}"
    )
