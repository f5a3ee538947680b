"""A claim on a bill from outside is decided by people, whatever the rules say.

The bill was not anchored by its hospital: after 就医地审核 the agency anchored it, and 参保地确认
by another person comes before any decision (service_layer.outside.confirm).
"""

from __future__ import annotations

from typing import Final

from backend.domain.errors import ConflictError
from backend.service_layer.claims.ports import ClaimWork
from backend.service_layer.claims.records import Reason, StoredBill

OUTSIDE_PEND: Final = "outside-bill"

OUTSIDE_REASON: Final = Reason(
    OUTSIDE_PEND,
    "这张票据未经医院上链，由经办机构核对后上链，须由参保地经办人员确认",
    "not anchored by its hospital: a person at the insured place has to confirm it",
)


class UnconfirmedOutsideBillError(ConflictError):
    """Somebody, or something, would decide on a bill from outside without its confirmation."""

    code = "outside-not-confirmed"

    def __init__(self) -> None:
        super().__init__(
            "外来票据须先由参保地经办人员确认（yichu outside confirm），不能由机器或单方核定",
            "a bill from outside is decided only after a person at the insured place has "
            "confirmed it (yichu outside confirm)",
        )


def lacks_confirmation(work: ClaimWork, bill: StoredBill) -> bool:
    """Whether the bill is from outside and no person of the insured place has decided on it."""
    return bill.is_outside and not work.outside.is_confirmed(bill.invoice_id)


def require_confirmation(work: ClaimWork, bill: StoredBill) -> None:
    """Raise UnconfirmedOutsideBillError for a bill that :func:`lacks_confirmation`."""
    if lacks_confirmation(work, bill):
        raise UnconfirmedOutsideBillError
