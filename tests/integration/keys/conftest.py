"""A development ledger with the contracts, a custodial and a self-custody institution."""

from __future__ import annotations

from tests.integration.anchoring.conftest import deployed, network

__all__ = ["deployed", "network"]
