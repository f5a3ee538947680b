"""What handling a claim needs from outside: what review and payouts need, in one object."""

from __future__ import annotations

from typing import Protocol

from backend.service_layer.payout.ports import PayoutServices, PayoutWork
from backend.service_layer.review.ports import ReviewServices, ReviewWork


class HandlingWork(ReviewWork, PayoutWork, Protocol):
    """One database transaction with the repositories of claims, rules, review and payouts."""


class HandlingServices(ReviewServices, PayoutServices, Protocol):
    def work(self, *, write: bool = True) -> HandlingWork: ...
