"""The outbox: committed files go to the bank, the same bytes again until it has them."""

from __future__ import annotations

import hashlib

from backend.domain.errors import DomainError
from backend.service_layer.claims.holds import are_payouts_held
from backend.service_layer.failpoints import reach
from backend.service_layer.payout.ports import (
    BankConflictError,
    BankUnavailableError,
    PayoutServices,
)
from backend.service_layer.payout.stored import StoredFile

UNREACHABLE = "bank-unreachable"
CONFLICT = "bank-conflict"
DAMAGED = "payout-file-damaged"
SUBJECT = "bank"


def hand_over_files(deps: PayoutServices) -> int:
    """Hand over what the bank does not have yet; returns how many files went.

    Nothing leaves while payouts are held. A file whose bytes were changed in the database, or of
    whose name the bank has other bytes, stays with an alarm.
    """
    with deps.work(write=False) as work:
        files = work.payments.files_to_hand_over()
        if not files or are_payouts_held(work):
            return 0
    done = 0
    for file in files:
        content = _content(deps, file)
        if content is None:
            _alarm(deps, DAMAGED, file, "its bytes are not those that were written")
            continue
        try:
            deps.bank.hand_over(file.name, content)
        except BankConflictError as error:
            _alarm(deps, CONFLICT, file, error.en)
            continue
        except BankUnavailableError as error:
            with deps.work() as work:
                work.alarms.raise_alarm(UNREACHABLE, SUBJECT, error.en)
                work.commit()
            return done
        reach("payout.handed-over")
        with deps.work() as work:
            done += work.payments.mark_handed_over(file.id, deps.clock.now())
            work.alarms.clear(UNREACHABLE, SUBJECT)
            for code in (CONFLICT, DAMAGED):
                work.alarms.clear(code, file.message_id)
            work.commit()
        reach("payout.hand-over-marked")
    return done


def _content(deps: PayoutServices, file: StoredFile) -> bytes | None:
    """The bytes that were written; None when what is stored is no longer those."""
    try:
        content = deps.secret_box.unwrap(file.wrapped_content, file.id)
    except DomainError:
        return None
    return content if hashlib.sha256(content).digest() == file.digest else None


def _alarm(deps: PayoutServices, code: str, file: StoredFile, detail: str) -> None:
    with deps.work() as work:
        work.alarms.raise_alarm(code, file.message_id, detail)
        work.commit()
