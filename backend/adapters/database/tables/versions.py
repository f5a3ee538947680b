"""Appeals, withdrawals and reopenings: why a decision got another version."""

from __future__ import annotations
