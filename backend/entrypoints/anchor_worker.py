"""The worker process: forms batches, sends, follows the chain, moves claims on.

One loop, one step after the other, each in its own transactions: it can be killed anywhere and
started again. One worker at a time holds the lease ``worker``; another one waits as a standby.
Whoever takes the lease first compares chain and database, and refuses to go on when the chain is
ahead: the database was restored from a backup.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import OperationalError

from backend.adapters.ledger.network import anchoring_of
from backend.bootstrap import Services
from backend.service_layer.anchoring.audit import AuditPlace, audit_final
from backend.service_layer.anchoring.behind import DatabaseBehindChainError, refuse_if_behind
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.follow import follow
from backend.service_layer.anchoring.gaps import fill_gaps
from backend.service_layer.anchoring.model import Lease, LeaseHeldError
from backend.service_layer.anchoring.offer import make_offers
from backend.service_layer.anchoring.probe import InclusionProbe, probe
from backend.service_layer.anchoring.reconcile import advance_finality, settle_nonces
from backend.service_layer.anchoring.replacement import replace_stuck
from backend.service_layer.anchoring.send import relieve, send_queued
from backend.service_layer.anchoring.watch import Watch, watch
from backend.service_layer.handling.advance import NewClaims, Turns, advance_claims
from backend.service_layer.ports import LedgerUnavailableError

LEASE_NAME: Final = "worker"
LEASE_SECONDS: Final = 10
PAUSE_SECONDS: Final = 0.2
GLANCE_SECONDS: Final = 0.025
STANDBY_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 1.0
AUDIT_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 600.0
FIGURES_SECONDS: Final = 600.0
REVIEW_SECONDS: Final = 2.0
PAYOUT_SECONDS: Final = 0.5
RECONCILE_SECONDS: Final = 30.0  # looks whether the day's reconciliation is due
#: Steps that wait until the bank's side was compared with the database.
MONEY_STEPS: Final = frozenset({"payouts", "reconcile"})
SECOND_PAYER_SECONDS: Final = 2.0
SUPERVISION_SECONDS: Final = 60.0  # its days are counted by the day
OUTSIDE_SECONDS: Final = 2.0
RECOVERY_SECONDS: Final = 2.0
NOTICE_SECONDS: Final = 2.0
SAMPLE_SECONDS: Final = 60.0
CLEARING_SECONDS: Final = 5.0
PROBE_KEY: Final = "probe"  # a keystore whose account may do nothing on the ledger
BACK_OFF_SECONDS_MAX: Final = 30.0
_logger = logging.getLogger(__name__)


@dataclass
class Step:
    """One part of the loop. ``every_seconds`` is its cadence, ``failures`` count in a row.

    A run that moved ``full_pass`` or more has left something undone: it is due again at once.
    """

    name: str
    run: Callable[[], int]
    every_seconds: float = 0
    full_pass: int | None = None
    next_at: float = 0
    failures: int = 0

    def is_due(self) -> bool:
        return time.monotonic() >= self.next_at


def build_steps(
    services: Services, deps: Anchoring, between: Callable[[], int] = lambda: 0
) -> list[Step]:
    """The steps in their order; claims read the outcomes that the follower has just written.
    Long steps call ``between`` after each part of their work."""
    from backend.service_layer.audit_rules.figures import refresh_figures
    from backend.service_layer.clearing.carry_on import ClearingInWorker
    from backend.service_layer.handling.renewal import renew_locks
    from backend.service_layer.intake.form_batches import BATCHES_A_PASS, form_batches
    from backend.service_layer.money_reconciliation.daily import reconcile_pass
    from backend.service_layer.outside.check import carry_on
    from backend.service_layer.payees.notices import send_notices
    from backend.service_layer.payout.run import payout_pass
    from backend.service_layer.recovery.run import follow_withdrawals, recovery_pass
    from backend.service_layer.review.sweep import review_pass
    from backend.service_layer.second_payers.sweep import second_payer_pass
    from backend.service_layer.supervision.cases import supervision_pass
    from backend.service_layer.supervision.sampling_audit import sample_pass

    settings = services.settings
    start = InclusionProbe(lambda: services.keystores.create(PROBE_KEY), settings.probe_blocks)
    seen = Watch(settings.stall_seconds, settings.stall_blocks)
    place = AuditPlace()
    turns = Turns()

    def when_open(step: Callable[[Anchoring], int]) -> Callable[[], int]:
        return lambda: step(deps) if start.lets_work_through else 0

    def claims() -> int:
        return advance_claims(
            services, at_once=True, between=between, with_payouts=False, turns=turns
        )

    def reconcile() -> int:
        return reconcile_pass(services, services.report_signer)

    def form() -> int:
        return form_batches(services, settings.batch_seconds)

    return [
        Step("load", lambda: load_rules(services), math.inf),
        Step("form-batches", form, settings.batch_seconds, BATCHES_A_PASS),
        Step("probe", lambda: probe(deps, start)),
        Step("offer", when_open(make_offers)),
        Step("relieve", lambda: relieve(deps), WATCH_SECONDS),
        Step("send", when_open(lambda deps: send_queued(deps, between))),
        Step("settle-nonces", lambda: settle_nonces(deps)),
        Step("gaps", lambda: fill_gaps(deps), WATCH_SECONDS),
        Step("replace", lambda: replace_stuck(deps), WATCH_SECONDS),
        Step("follow", lambda: follow(deps)),
        Step("finality", lambda: advance_finality(deps)),
        Step("claims", claims),
        Step("payouts", lambda: payout_pass(services), PAYOUT_SECONDS),
        Step("withdrawals", lambda: follow_withdrawals(services, deps.node), RECOVERY_SECONDS),
        Step("recoveries", lambda: recovery_pass(services), RECOVERY_SECONDS),
        Step("second-payers", lambda: second_payer_pass(services), SECOND_PAYER_SECONDS),
        Step("reconcile", reconcile, RECONCILE_SECONDS),
        Step("review", lambda: review_pass(services), REVIEW_SECONDS),
        Step("supervision", lambda: supervision_pass(services), SUPERVISION_SECONDS),
        Step("outside", lambda: carry_on(services), OUTSIDE_SECONDS),
        Step("clearing", ClearingInWorker(services).advance, CLEARING_SECONDS, 1),
        Step("samples", lambda: sample_pass(services), SAMPLE_SECONDS),
        Step("figures", lambda: refresh_figures(services), FIGURES_SECONDS),
        Step("renew-locks", lambda: renew_locks(services), RENEW_SECONDS),
        Step("notices", lambda: send_notices(services), NOTICE_SECONDS),
        Step("watch", lambda: watch(deps, seen), WATCH_SECONDS),
        Step("audit", lambda: audit_final(deps, place), AUDIT_SECONDS),
    ]


def load_rules(services: Services) -> int:
    """Read packs, catalogue, audit rules and holidays now, so that no claim has to wait for it."""
    for name in ("packs", "catalogue", "rule_book", "calendar"):
        getattr(services, name)  # made at its first use
    services.calendar.is_working_day(services.clock.now().date())
    return 0


def owner_name(services: Services) -> str:
    """A name for this process in leases; never that of an earlier one."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{services.ids.new_id('own')}"


class Worker:
    """Runs the steps until ``stop`` is set."""

    def __init__(self, services: Services, stop: threading.Event | None = None) -> None:
        self._services = services
        self.stop = stop or threading.Event()
        self.deps = anchoring_of(services, owner_name(services))
        new_claims = NewClaims(services)
        self._new_claims = Step("new-claims", new_claims.advance)
        self._steps = build_steps(services, self.deps, self._take_new_claims)
        self._is_standby = False
        #: Fencing token of the lease under which chain and database were last compared.
        self._compared: int | None = None
        self._bank_compared: int | None = None
        self._lease: Lease | None = None
        self._renew_at = 0.0

    def run(self) -> None:
        """The loop. SIGTERM and SIGINT set ``stop``: the current step ends, then the loop.

        Raises DatabaseBehindChainError when the chain is ahead of the database."""
        try:
            while not self.stop.is_set():
                before = self._newest()
                if not self.run_once():
                    self._pause(before)
        finally:
            self._release()

    def _pause(self, before: tuple[str, str] | None) -> None:
        """Wait for the next pass, or until something was enqueued since ``before``."""
        end = time.monotonic() + PAUSE_SECONDS
        while time.monotonic() < end and not self.stop.wait(GLANCE_SECONDS):
            if self._newest() != before:
                return

    def _newest(self) -> tuple[str, str] | None:
        """The newest intent and claim. A hint that saves waiting, and nothing rests on it."""
        try:
            with self._services.work(write=False) as work:
                return work.outbox.newest(), work.claims.newest()
        except OperationalError:
            return None

    def run_once(self) -> int:
        """Every due step once, if this worker holds the lease; returns how much moved.

        Until a node has answered, so that chain and database could be compared, nothing is
        batched or sent; claims only say that they wait."""
        try:
            lease = self._hold_lease()
            is_compared = lease is not None and self._compare(lease)
        except OperationalError as error:
            # Restarted, or locked by a frozen process: no reason to end, and none to go on.
            _logger.warning("the database does not answer: %s", type(error.orig).__name__)
            lease = None
        if lease is None:
            self.stop.wait(STANDBY_SECONDS)
            return 0
        moved = 0
        for step in self._steps:
            if self.stop.is_set():
                break
            if step.name in MONEY_STEPS and not self._is_bank_compared():
                continue
            if step.is_due() and (is_compared or step.name == "claims"):
                moved += self._take_new_claims()
                moved += self._run(step)
        return moved

    def _take_new_claims(self) -> int:
        """New claims come before what else is to be done: somebody is looking at the page."""
        is_due = self._new_claims.is_due() and not self.stop.is_set()
        return self._run(self._new_claims) if is_due else 0

    def _compare(self, lease: Lease) -> bool:
        """Whether the chain is known to be no further than the database; asked once a lease."""
        if self._compared == lease.fencing_token:
            return True
        from backend.service_layer.claims.holds import show_held_payouts

        try:
            refuse_if_behind(self.deps, self._services.settings.payer_number)
        except LedgerUnavailableError as error:
            _logger.warning("the ledger is not compared yet: %s", error.en)
            return False
        except DatabaseBehindChainError:
            show_held_payouts(self._services)
            raise
        show_held_payouts(self._services)
        self._compared = lease.fencing_token
        return True

    def _is_bank_compared(self) -> bool:
        """Whether it is known what the bank has; asked once a lease, after the chain. When the bank
        knows more than the database, an alarm holds the payouts; the rest goes on."""
        if self._compared is None or self._bank_compared == self._compared:
            return self._compared is not None
        from backend.service_layer.money_reconciliation.ahead import hold_if_ahead
        from backend.service_layer.money_reconciliation.timeliness import watch_timeliness
        from backend.service_layer.payout.ports import BankUnavailableError

        try:
            bank = hold_if_ahead(self._services)
        except (BankUnavailableError, OperationalError):
            return False  # nothing can be handed over or booked meanwhile
        if bank.is_ahead:
            _logger.warning("payouts are held, run `yichu reconcile`: %s", bank.sentence())
        watch_timeliness(self._services)  # before the first payment after a long standstill
        self._bank_compared = self._compared
        return True

    def _run(self, step: Step) -> int:
        try:
            moved = step.run()
        except LedgerUnavailableError as error:
            self._back_off(step)
            _logger.warning("%s waits for the ledger: %s", step.name, error.en)
            return 0
        except OperationalError as error:
            # Stopped, restarted, locked or full: what was not committed is done again.
            self._back_off(step)
            _logger.warning("%s waits for the database: %s", step.name, type(error.orig).__name__)
            return 0
        except Exception:
            # The last handler: a defect in one step must not stop the others.
            self._back_off(step)
            _logger.exception("step %s failed", step.name)
            return 0
        step.failures = 0
        has_more = step.full_pass is not None and moved >= step.full_pass
        step.next_at = time.monotonic() + (0 if has_more else step.every_seconds)
        return moved

    def _back_off(self, step: Step) -> None:
        step.failures += 1
        pause = min(BACK_OFF_SECONDS_MAX, PAUSE_SECONDS * 2**step.failures)
        step.next_at = time.monotonic() + pause

    def _hold_lease(self) -> Lease | None:
        """The worker's lease, None for a standby. It is renewed when a quarter of it has passed:
        each renewal is a commit, and what is signed rests on the leases of the accounts."""
        if self._lease is not None and time.monotonic() < self._renew_at:
            return self._lease
        asked_at = time.monotonic()
        self._lease = None
        try:
            lease = acquire_worker_lease(self._services, self.deps.owner, LEASE_SECONDS)
        except LeaseHeldError:
            if not self._is_standby:
                _logger.warning("another worker is at work; this one waits as a standby")
            self._is_standby = True
            return None
        if self._is_standby:
            _logger.warning("this worker has taken over")
        self._is_standby = False
        self._lease, self._renew_at = lease, asked_at + LEASE_SECONDS / 4
        return lease

    def _release(self) -> None:
        """Let the next worker start at once instead of when our leases run out."""
        try:
            with self._services.work() as work:
                work.accounts.release_all(self.deps.owner)
                work.commit()
        except OperationalError as error:
            _logger.warning("leases are left to run out: %s", type(error.orig).__name__)


def acquire_worker_lease(services: Services, owner: str, seconds: float = LEASE_SECONDS) -> Lease:
    """Take or renew the worker's lease; raises LeaseHeldError while another one is at work."""
    with services.work() as work:
        holder = work.accounts.holder(LEASE_NAME)
        if holder != owner and _is_dead_neighbour(holder):
            # It was killed on this machine: no need to wait until its leases run out.
            work.accounts.release_all(holder)
        lease = work.accounts.acquire(LEASE_NAME, owner, seconds)
        work.commit()
    return lease


def _is_dead_neighbour(owner: str) -> bool:
    """Whether a lease's owner was a process of this machine that has ended."""
    host, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname()[:30] or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
