"""Each test begins with an unused share of sign-ins."""

from __future__ import annotations

import pytest

from backend.entrypoints.mobile import session as citizens
from backend.entrypoints.public.rate_limit import RateLimit
from backend.entrypoints.staff import session as staff


@pytest.fixture(autouse=True)
def fresh_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (citizens, staff):
        monkeypatch.setattr(place, "_LOGINS", RateLimit(count=50, seconds=60))
