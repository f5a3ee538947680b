"""Keys of commercial insurers: ``Authorization: Bearer <key>``, apart from the hospitals' keys.

A hospital's key is none of an insurer and the other way round: each is looked up in its own table,
and nothing else opens the routes of either.
"""

from __future__ import annotations

from typing import Any, Final, cast

from flask import current_app, g, request
from werkzeug.exceptions import TooManyRequests

from backend.entrypoints.api.authentication import BEARER, UnauthorizedError, services
from backend.entrypoints.public.rate_limit import RateLimit
from backend.service_layer.second_payers.records import SecondPayer

CALLS_A_MINUTE: Final = 240
WRONG_KEYS_A_MINUTE: Final = 30
RETRY_SECONDS: Final = 5
_LIMITS: Final = "yichu-payer-limits"


def authenticate_payer() -> Any:
    """Find the insurer of the request's key; called before every view of an insurer."""
    calls, guesses = _limits()
    match = BEARER.fullmatch(request.headers.get("Authorization", ""))
    found = None
    if match is not None:
        with services().work(write=False) as work:
            found = work.second_payers.payer_of_key(match.group(1))
    if found is None:
        if not guesses.allows(request.remote_addr or ""):
            raise TooManyRequests(retry_after=RETRY_SECONDS)
        raise UnauthorizedError
    if not calls.allows(str(found.number)):
        raise TooManyRequests(retry_after=RETRY_SECONDS)
    g.payer = found
    return None


def _limits() -> tuple[RateLimit, RateLimit]:
    """Calls by insurer and wrong keys by address, counted in this process."""
    limits = current_app.extensions.get(_LIMITS)
    if limits is None:
        limits = (RateLimit(CALLS_A_MINUTE, 60), RateLimit(WRONG_KEYS_A_MINUTE, 60))
        current_app.extensions[_LIMITS] = limits
    return cast("tuple[RateLimit, RateLimit]", limits)


def payer() -> SecondPayer:
    """The insurer whose key the request carries."""
    return cast(SecondPayer, g.payer)
