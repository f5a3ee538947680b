"""The reconciliation as the worker runs it: once a day, with cases and a signed report."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backend.domain.local_time import SHANGHAI
from backend.service_layer.anchoring.model import KeyUnavailableError
from backend.service_layer.claims.holds import (
    BOOKS,
    HOLDING_ALARMS,
    LAPSED,
    RECORDS_LOST,
    show_held_payouts,
)
from backend.service_layer.journal.arrival import simulate_earlier_arrivals
from backend.service_layer.money_reconciliation.cases import (
    Standing,
    open_cases_of,
    watch_deadlines,
)
from backend.service_layer.money_reconciliation.ports import MoneyServices
from backend.service_layer.money_reconciliation.report import (
    SUBJECT,
    UNSIGNED,
    ReportSigner,
    store_report,
)
from backend.service_layer.money_reconciliation.rules import find_mismatches
from backend.service_layer.money_reconciliation.statement_rules import watch_statements
from backend.service_layer.money_reconciliation.timeliness import watch_timeliness
from backend.service_layer.payout.answers import take_in_answers
from backend.service_layer.payout.ports import BankUnavailableError


def reconcile_money(deps: MoneyServices, signer: ReportSigner) -> list[Standing]:
    """Ask the bank for its statements where it can be asked, compare everything, open and close
    cases, keep the signed report."""
    simulate_earlier_arrivals(deps)
    if deps.bank.ask_for_statements():
        claims: Any = deps
        take_in_answers(claims)
    was_held = _is_held_by_books(deps)
    standing = open_cases_of(deps, find_mismatches(deps))
    store_report(deps, signer, standing)
    watch_timeliness(deps)
    if was_held != _is_held_by_books(deps):
        waiting: Any = deps
        show_held_payouts(waiting)
    return standing


def _is_held_by_books(deps: MoneyServices) -> bool:
    with deps.work(write=False) as work:
        return BOOKS in work.alarms.open_counts()


def is_due(now: dt.datetime, last: dt.datetime | None, at: dt.time) -> bool:
    """Whether a reconciliation is to begin: the first at once, then one a local day from ``at``."""
    if last is None:
        return True
    local = now.astimezone(SHANGHAI)
    begins = dt.datetime.combine(local.date(), at, SHANGHAI)
    if local < begins:
        begins -= dt.timedelta(days=1)
    return last < begins


def reconcile_pass(deps: MoneyServices, signer: ReportSigner) -> int:
    """Reconcile when it is due, watch the deadlines always; returns how many mismatches there are.

    While payouts are held because database, chain and bank are known to disagree, nothing is
    compared: `yichu reconcile` comes first. A bank that cannot be asked is asked again later.
    """
    watch_deadlines(deps)
    try:
        return _reconcile_if_due(deps, signer)
    finally:
        watch_timeliness(deps)
        watch_statements(deps)


def _reconcile_if_due(deps: MoneyServices, signer: ReportSigner) -> int:
    with deps.work(write=False) as work:
        last = work.money_reports.last()
        # Two end with a report, one with people: they are no reason to make none.
        compared = {LAPSED, BOOKS, RECORDS_LOST}
        is_held = bool((HOLDING_ALARMS - compared) & set(work.alarms.open_counts()))
        is_agency_known = work.claims.payer_account(deps.settings.payer_number) is not None
    if not is_agency_known:
        return 0  # being set up: nothing can be claimed yet, and nobody could sign
    made_at = None if last is None else last.made_at
    if is_held or not is_due(deps.clock.now(), made_at, deps.settings.reconcile_at):
        return 0
    try:
        return len(reconcile_money(deps, signer))
    except BankUnavailableError:
        return 0
    except KeyUnavailableError as error:
        # The cases are there; what was found could not be signed.
        with deps.work() as work:
            work.alarms.raise_alarm(UNSIGNED, SUBJECT, error.en)
            work.commit()
        return 0
