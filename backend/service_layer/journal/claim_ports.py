"""What is asked to find a claim's fund, as structural types."""

from __future__ import annotations

from typing import Protocol

from backend.service_layer.claims.ports import Claims, ClaimSettings, Decisions, Register
from backend.service_layer.journal.ports import JournalWork
from backend.service_layer.ports import Clock


class FundWork(JournalWork, Protocol):
    """A transaction with the claim's facts and the journal."""

    @property
    def claims(self) -> Claims: ...
    @property
    def decisions(self) -> Decisions: ...
    @property
    def register(self) -> Register: ...


class FundServices(Protocol):
    @property
    def settings(self) -> ClaimSettings: ...
    @property
    def clock(self) -> Clock: ...
