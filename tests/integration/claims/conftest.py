"""Each test begins with nobody having logged in: the limit a minute is counted in the process."""

from __future__ import annotations

import pytest

from backend.entrypoints.mobile import session
from backend.entrypoints.public.rate_limit import RateLimit


@pytest.fixture(autouse=True)
def fresh_login_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOGINS", RateLimit(count=20, seconds=60))
