"""Running the numbered checks over one bundle, and the verdict (SPEC.md C1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from verifier import chain, checks, ledger_checks, version_checks
from verifier.bundle import Bundle
from verifier.chain import LedgerReader
from verifier.checks import Case, NotCheckedError
from verifier.errors import MalformedError, RefutedError, UndecidedError, VerificationError
from verifier.trust import TrustedRoot


class Status(StrEnum):
    """How one check ended."""

    OK = "OK"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"
    NOT_CHECKED = "NOT CHECKED"


class Verdict(IntEnum):
    """The whole; the number is the exit status."""

    VERIFIED = 0
    REFUTED = 1
    MALFORMED = 2
    UNDECIDED = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered check of SPEC.md part C."""

    number: int
    name_zh: str
    name_en: str
    run: Callable[[Case], None]
    asks_ledger: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended and, when it is not OK, why."""

    check: Check
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a verification found. ``custody`` is what the bundle states.

    ``as_of_block`` is the latest block that was read, None when the ledger was not.
    """

    verdict: Verdict
    results: tuple[CheckResult, ...]
    node_believed: bool
    custody: str
    as_of_block: chain.Block | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def is_custody_shown(self) -> bool:
        """Whether the ledger says the same about custody as the bundle."""
        return self.results[CUSTODY_CHECK - 1].status is Status.OK

    def raise_for_verdict(self) -> None:
        """Return when verified; otherwise raise the error class of the verdict."""
        if self.verdict is Verdict.VERIFIED:
            return
        wanted = Status.FAIL if self.verdict is Verdict.REFUTED else Status.UNDECIDED
        first = next(result for result in self.results if result.status is wanted)
        kind = RefutedError if self.verdict is Verdict.REFUTED else UndecidedError
        raise kind(f"check {first.check.number}: {first.reason}")


IDENTITY_CHECK: Final = 12
CUSTODY_CHECK: Final = 14

CHECKS: Final = (
    Check(1, "证据包可读", "bundle can be read", checks.check_bundle),
    Check(2, "票据指纹", "bill fingerprint", checks.check_bill_fingerprint),
    Check(3, "必须公开的字段", "mandatory disclosure", checks.check_disclosure),
    Check(4, "批次叶与票据一致", "batch leaf equals the bill", checks.check_batch_leaf),
    Check(5, "票据键", "invoice key", checks.check_invoice_key),
    Check(6, "在批次之中", "inclusion in the batch", checks.check_inclusion),
    Check(7, "批次头", "batch head", checks.check_batch_head),
    Check(8, "审核结论指纹", "decision fingerprint", checks.check_decision_fingerprint),
    Check(9, "结论与本单一致", "decision is of this claim", checks.check_decision_and_bill),
    Check(10, "政策包", "policy pack", checks.check_policy_pack),
    Check(11, "逐行收支平衡", "line balance", checks.check_line_balance),
    Check(12, "账本身份", "chain identity", ledger_checks.check_chain_identity, True),
    Check(13, "上链盖戳", "anchored on the ledger", ledger_checks.check_anchor, True),
    Check(14, "机构与密钥保管", "institution and custody", ledger_checks.check_institution, True),
    Check(15, "报销登记", "claim lodged", ledger_checks.check_lodge, True),
    Check(16, "结算或退回", "claim settled or refused", ledger_checks.check_closing, True),
    Check(17, "政策已公布", "policy was published", ledger_checks.check_policy_published, True),
    Check(18, "账本现状", "state on the ledger", ledger_checks.check_slot, True),
    Check(19, "各版结论", "decision versions", version_checks.check_versions),
    Check(20, "各版上链", "events of the versions", version_checks.check_version_events, True),
    Check(21, "版本齐全", "no version is missing", version_checks.check_completeness, True),
    Check(22, "追回", "recoveries", version_checks.check_recoveries, True),
)


def verify_bundle(
    bundle: Bundle, trust: TrustedRoot, transport: chain.Transport | None = None
) -> Report:
    """Make every check and return what was found; the verdict follows SPEC.md C1.

    ``transport`` is a node that the caller has said to believe; without one every fact of the
    ledger is undecided. Nothing is raised for a bundle that does not hold: ask the report, or
    call ``raise_for_verdict``.
    """
    ledger = LedgerReader(transport, trust) if transport is not None else None
    case = Case(bundle, trust, ledger)
    results: list[CheckResult] = []
    foreign_chain = False
    for check in CHECKS:
        if foreign_chain and check.asks_ledger:
            result = CheckResult(
                check, Status.UNDECIDED, "not asked: check 12 did not show the trusted chain"
            )
        else:
            result = _make(check, case)
        if check.number == IDENTITY_CHECK and result.status is not Status.OK:
            foreign_chain = True
        results.append(result)
    asked = ledger is not None and not foreign_chain
    return Report(
        verdict=_verdict(results),
        results=tuple(results),
        node_believed=ledger is not None,
        custody=bundle.anchor.custody,
        as_of_block=_as_of(ledger) if ledger is not None and asked else None,
        notes=_version_notes(bundle)
        + (_notes(case, ledger) if ledger is not None and asked else ()),
    )


def _make(check: Check, case: Case) -> CheckResult:
    try:
        check.run(case)
    except NotCheckedError as error:
        return CheckResult(check, Status.NOT_CHECKED, _reason(error))
    except UndecidedError as error:
        return CheckResult(check, Status.UNDECIDED, _reason(error))
    except (RefutedError, MalformedError) as error:
        return CheckResult(check, Status.FAIL, _reason(error))
    return CheckResult(check, Status.OK)


def _reason(error: VerificationError) -> str:
    text = str(error)
    if error.expected is not None and error.actual is not None:
        text += f" (expected {error.expected}, found {error.actual})"
    return text


def _verdict(results: list[CheckResult]) -> Verdict:
    statuses = {result.status for result in results}
    if Status.FAIL in statuses:
        return Verdict.REFUTED
    if Status.UNDECIDED in statuses:
        return Verdict.UNDECIDED
    return Verdict.VERIFIED


def _as_of(ledger: LedgerReader) -> chain.Block | None:
    try:
        return ledger.latest()
    except UndecidedError:
        return None


def _notes(case: Case, ledger: LedgerReader) -> tuple[tuple[str, str], ...]:
    """What the ledger says of the bill that the reader has to know beside the verdict."""
    try:
        slot = ledger.slot(case.bundle.leaf_fields.invoice_key)
    except UndecidedError:
        return ()
    notes: list[tuple[str, str]] = []
    if slot.flags & chain.FLAG_VOID:
        notes.append(("该票据现已作废", "the bill is void by now"))
    if slot.flags & chain.FLAG_REVERSED:
        notes.append(("该票据现已冲红", "the bill is reversed by now"))
    if slot.flags & chain.FLAG_ON_PAPER:
        notes.append(("该票据现已换开纸质票据", "the bill is exchanged for a paper bill by now"))
    return tuple(notes)


def _version_notes(bundle: Bundle) -> tuple[tuple[str, str], ...]:
    """The newest version, where there is more than one."""
    shown = version_checks.shown_versions(bundle)
    if len(shown) == 1:
        return ()
    number, count = shown[-1].number, len(shown)
    return (
        (
            f"证据包含 {count} 版结论，最新为第 {number} 版",
            f"the bundle shows {count} decision versions; the newest is version {number}",
        ),
    )
