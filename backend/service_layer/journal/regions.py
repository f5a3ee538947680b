"""Which regions this installation keeps books of.

A region is six digits that anybody can mistype. Books of a region that nobody pays from would be in
no table but that of all regions, and a closed month cannot be opened again.
"""

from __future__ import annotations

from typing import Protocol

from backend.domain.journal import JournalError
from backend.service_layer.claims.ports import ClaimSettings
from backend.service_layer.journal.ports import JournalWork


class RegionServices(Protocol):
    @property
    def settings(self) -> ClaimSettings: ...


def require_region(deps: RegionServices, work: JournalWork, region: str) -> None:
    """Refuse a region that has no books yet, no debit account, and is not this installation's.
    Raises :class:`JournalError`."""
    if region in work.journal.regions() or region == deps.settings.region:
        return
    if deps.settings.payout.account_of(region) is not None:
        return
    raise JournalError(
        f"统筹区 {region} 没有付款账户，也没有账：请核对代码，或先设 YICHU_FUND_ACCOUNTS",
        f"region {region} has no debit account and no books: check its code, or set "
        "YICHU_FUND_ACCOUNTS first",
    )
