"""The worker's part: open what must be opened, say what is late, close the leads.

Every order is one transaction of its own, and doing any of it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.local_time import local_day
from backend.domain.supervision import Step, StepKind, SubjectKind, state_of
from backend.service_layer.claims.benefits import DAMAGE
from backend.service_layer.failpoints import reach
from backend.service_layer.intake.adopt import adopt_bill_event
from backend.service_layer.recovery.adopt import retry_recoveries
from backend.service_layer.recovery.causes import open_of_lead, propose_of_revision
from backend.service_layer.recovery.closing import OVERDUE, REFUSED
from backend.service_layer.recovery.opening import SYSTEM
from backend.service_layer.recovery.people import ask_waiver_of_set_aside
from backend.service_layer.recovery.ports import RecoveryServices
from backend.service_layer.recovery.withdrawn import settle_withdrawn
from verifier.errors import VerificationError

FAILED: Final = "recovery-step-failed"
ON_LEDGER: Final = "bill-withdrawn-on-ledger"
BLOCKS_A_PASS: Final = 2_000
_WITHDRAWALS: Final = ("void", "reverse")
_CLOSABLE: Final = ("lead", "recovery-ordered")


def recovery_pass(deps: RecoveryServices) -> int:
    """One look at everything that recoveries wait for; returns how much changed."""
    with deps.work(write=False) as work:
        withdrawn = work.recoveries.withdrawn_claims()
        leads = work.recoveries.ordered_leads()
        lowered = work.recoveries.lowered()
        set_aside = work.recoveries.of_findings_set_aside()
    acts: list[tuple[str, Callable[[], bool]]] = [
        *((one, partial(settle_withdrawn, deps, one)) for one in withdrawn),
        *((one.id, partial(open_of_lead, deps, one)) for one in leads),
        *((one.id, partial(propose_of_revision, deps, one)) for one in lowered),
        *((one[0], partial(ask_waiver_of_set_aside, deps, *one)) for one in set_aside),
    ]
    changed = sum(_try(deps, subject, act) for subject, act in acts)
    changed += sum(line.verdict == "adopted" for line in retry_recoveries(deps))
    return changed + _tell(deps) + _close_leads(deps)


def _try(deps: RecoveryServices, subject: str, act: Callable[[], bool]) -> int:
    """One that fails on data of its own must not stop the others."""
    try:
        return int(act())
    except (DomainError, VerificationError, AssertionError, *DAMAGE) as error:
        what = getattr(error, "code", type(error).__name__)
        with deps.work() as work:
            work.alarms.raise_alarm(FAILED, subject, what)
            work.commit()
        return 0


def _tell(deps: RecoveryServices) -> int:
    """Alarms for instalments that are late and for events that the ledger refused; what is not
    late any more, by a new plan, is no alarm."""
    today = local_day(deps.clock.now())
    with deps.work(write=False) as work:
        wanted = {
            (OVERDUE, one.order.id): f"due {due[0]}: {due[1]} fen"
            for one in work.recoveries.owed()
            if (due := one.due()) is not None and today > due[0]
        }
        for order_id, outcome in work.recoveries.refused_on_ledger():
            wanted[(REFUSED, order_id)] = f"the ledger refused it: {outcome}"
        known = set(work.reconciliation.holding_alarms((OVERDUE, REFUSED)))
    if known == set(wanted):
        return 0
    with deps.work() as work:
        for code, subject in known - set(wanted):
            work.alarms.clear(code, subject)
        for (code, subject), detail in wanted.items():
            work.alarms.raise_alarm(code, subject, detail)
        work.commit()
    return 1


def _close_leads(deps: RecoveryServices) -> int:
    with deps.work(write=False) as work:
        waiting = work.recoveries.leads_to_close()
    return sum(_close_lead(deps, lead_id) for lead_id in waiting)


def _close_lead(deps: RecoveryServices, lead_id: str) -> int:
    """A lead whose money came back, or was given up, is over."""
    with deps.work() as work:
        lead = work.leads.get(lead_id, lock=True)
        steps = work.leads.steps_of(lead_id)
        orders = work.recoveries.of_lead(lead_id, lead.source_reference)
        if state_of(steps) not in _CLOSABLE or not all(one.state.is_over for one in orders):
            return 0
        assigned = sum(one.order.amount_fen for one in orders)
        if lead.subject_kind is SubjectKind.INSTITUTION and assigned < (steps[-1].amount_fen or 0):
            return 0  # a part is still to be laid on claims
        now = deps.clock.now()
        back = sum(one.received_fen for one in orders)
        work.leads.close_recovered(
            lead_id,
            Step(
                ordinal=len(steps) + 1,
                kind=StepKind.RECOVERED,
                by=SYSTEM,
                part=None,
                reason=f"追回 {back} 分，应追 {assigned} 分 / {back} of {assigned} fen came back",
                at=now,
                on=local_day(now),
            ),
        )
        work.commit()
    reach("recovery.lead-closed")
    return 1


def follow_withdrawals(deps: RecoveryServices, node: Any) -> int:
    """Read final blocks for bills that an institution has declared void or reversed on the ledger
    by itself; returns how many blocks were read.

    Bill and cursor are one transaction. Where the bill is so already this changes nothing.
    """
    with deps.work(write=False) as work:
        before = work.recoveries.cursor()
    first: int = node.deployment().block_number if before is None else before + 1
    last: int = min(node.final_number(), first + BLOCKS_A_PASS - 1)
    if last < first:
        return 0
    events = [
        event
        for event in node.events(first, last)
        if event.call in _WITHDRAWALS and event.outcome == "done"
    ]
    with deps.work() as work:
        for event in events:
            line = adopt_bill_event(work, event)
            if line.verdict == "adopted":
                work.alarms.raise_alarm(ON_LEDGER, line.detail, f"{event.call} by its institution")
        work.recoveries.set_cursor(last)
        work.commit()
    reach("recovery.withdrawals-read")
    return last - first + 1
