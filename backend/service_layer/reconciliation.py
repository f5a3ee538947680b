"""``yichu reconcile``: what chain and database agree on, what is adopted, what needs a person.

Everything here can be repeated, and be stopped anywhere: what was adopted once is known by its
transaction hash. Nothing is signed or sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from backend.service_layer.adoption.claims import adopt_claim_event, retry_cases
from backend.service_layer.adoption.lost_words import lost_lines, note_lost_period
from backend.service_layer.anchoring.adopt import Adopters, Line, adopt_chain, adopt_nonces
from backend.service_layer.anchoring.behind import BEHIND, SUBJECT, Comparison, compare
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.follow import follow
from backend.service_layer.anchoring.reconcile import advance_finality
from backend.service_layer.claims.case_closing import ALARM
from backend.service_layer.claims.holds import ADOPTED, HOLDING_ALARMS, show_held_payouts
from backend.service_layer.intake.adopt import adopt_bill_event, find_lost_leaves
from backend.service_layer.intake.ports import IntakeServices
from backend.service_layer.money_reconciliation import cases as money_cases
from backend.service_layer.money_reconciliation.adopt import adopt_bank
from backend.service_layer.money_reconciliation.ahead import compare_bank, hold_if_ahead
from backend.service_layer.money_reconciliation.daily import reconcile_money
from backend.service_layer.money_reconciliation.records import BY_CODE, Mismatch
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.money_reconciliation.words import case_in_words, row_in_words
from backend.service_layer.payout.unmatched import KIND as UNMATCHED
from backend.service_layer.recovery.adopt import retry_recoveries
from backend.service_layer.recovery.ports import RecoveryServices

FINAL_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.2
_TRIED_AGAIN: Final = frozenset({"leaves-lost", "claim-lost", "settlement-differs", UNMATCHED})


class Services(RecoveryServices, IntakeServices, Protocol):
    """What handling and intake need; one object gives both."""

    def work(self, *, write: bool = True) -> Any: ...

    @property
    def settings(self) -> Any: ...
    @property
    def report_signer(self) -> Any: ...
    @property
    def report_copies(self) -> Any: ...
    @property
    def signature_reader(self) -> Any: ...


def look(deps: Anchoring, services: Services) -> list[Line]:
    """Compare only: what differs, and which cases are open."""
    comparison = compare(deps, services.settings.payer_number)
    bank = compare_bank(services)
    lines = _differences(comparison)
    lines += _open_cases(services, frozenset())
    lines += lost_lines(services)
    if bank.is_ahead:
        lines.append(Line("ahead", "bank", bank.sentence()))
    if not comparison.is_ahead and not bank.is_ahead:
        lines += _money_lines(services)
    return lines or [_agreement(comparison)]


def _money_lines(services: Services) -> list[Line]:
    found = find_mismatches(services)
    with services.work(write=False) as work:
        accepted = money_cases.standing(work, found)
    return [_row(one, is_done) for one, is_done in zip(found, accepted, strict=True)]


def _row(mismatch: Mismatch, is_accepted: bool) -> Line:
    verdict = "accepted" if is_accepted else "mismatch"
    rule = BY_CODE[mismatch.rule]
    detail = f"{mismatch.here} / {mismatch.there} ({rule.zh} {rule.en})"
    zh, en = row_in_words(mismatch.here, mismatch.there)
    words = (f"{zh}（{rule.zh}）", f"{en} ({rule.en})")
    return Line(verdict, f"{mismatch.rule} {mismatch.subject}", detail, words)


def reconcile(deps: Anchoring, services: Services, keep_lease: Callable[[], object]) -> list[Line]:
    """Adopt what the chain knows; ``keep_lease`` is called between the steps.

    The alarm that holds payouts is closed only when nothing is ahead any more.
    """
    payer = services.settings.payer_number
    comparison = compare(deps, payer)
    # Before anything is adopted: the copy's own entries tell how old it is.
    note_lost_period(deps, services, comparison)
    last = _wait_until_final(deps, comparison.head.number, keep_lease)
    with deps.work(write=False) as work:
        parties = work.reconciliation.parties(payer)
    adopters = Adopters(partial(adopt_claim_event, services), adopt_bill_event)
    found = adopt_chain(deps, parties, adopters, comparison.first_block, last)
    # Cases are listed once, after everything else has been tried.
    lines = [line for line in found if line.verdict != "case"]
    keep_lease()
    lines += adopt_nonces(deps, parties)
    while follow(deps):
        keep_lease()
    advance_finality(deps)
    lines += find_lost_leaves(services)
    keep_lease()
    lines += retry_cases(services)
    keep_lease()
    lines += adopt_bank(services, keep_lease)
    lines += retry_recoveries(services)
    keep_lease()
    lines += _open_cases(services, _TRIED_AGAIN)
    after = compare(deps, payer)
    lines += _differences(after)
    if not after.is_ahead:
        with deps.work() as work:
            work.alarms.clear(BEHIND, SUBJECT)
            work.commit()
    bank = hold_if_ahead(services)
    if bank.is_ahead:
        lines.append(Line("ahead", "bank", bank.sentence()))
    if not after.is_ahead and not bank.is_ahead:
        standing = reconcile_money(services, services.report_signer)
        lines += [_row(one.mismatch, one.is_accepted) for one in standing]
    show_held_payouts(services)
    lines += lost_lines(services)
    return lines or [_agreement(after)]


def _wait_until_final(deps: Anchoring, head: int, keep_lease: Callable[[], object]) -> int:
    """Wait for what was on the chain at the start; returns the newest final block up to it."""
    deadline = time.monotonic() + FINAL_SECONDS
    while (final := deps.node.final_number()) < head and time.monotonic() < deadline:
        keep_lease()
        time.sleep(_PAUSE_SECONDS)
    return min(final, head)


def _differences(comparison: Comparison) -> list[Line]:
    return [
        Line(
            "ahead" if finding.is_ahead else "case",
            f"{finding.kind} {finding.subject}",
            f"database {finding.here}, chain {finding.there}",
        )
        for finding in comparison.findings
    ]


def _open_cases(services: Services, without: frozenset[str]) -> list[Line]:
    with services.work(write=False) as work:
        cases = work.reconciliation.open_cases()
        alarms = work.reconciliation.holding_alarms(sorted(HOLDING_ALARMS - ADOPTED))
        unsettled = work.reconciliation.paid_without_settlement()
    lines = [
        Line("case", case.id, case.kind, case_in_words(case.kind, case.detail))
        for case in cases
        if case.kind not in {*without, money_cases.KIND}
    ]
    lines += [
        Line("case", f"{ALARM}:{code}:{subject}", "payouts are held") for code, subject in alarms
    ]
    lines += [
        Line("case", f"claim {number}", "paid, and its settlement is not on the chain now")
        for number in unsettled
    ]
    return lines


def _agreement(comparison: Comparison) -> Line:
    return Line("agrees", f"chain up to block {comparison.head.number}", "nothing is unknown here")
