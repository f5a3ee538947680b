"""The declared access rule of every route: deny by default.

Each view function carries one of the decorators below. ``require_declared_rules`` is called by
the application factory and refuses to start with a route that has none; the ``before_request``
hook of ``backend.entrypoints.web`` enforces the rule before the view runs.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask

View = TypeVar("View", bound=Callable[..., Any])


class AccessRule(StrEnum):
    PUBLIC = "public"  # anyone, no personal data
    HOSPITAL = "hospital"  # a live API key; sees its own institution only
    PAYER = "payer"  # a live key of an insurer; sees what citizens opened to it, and its claims
    CITIZEN = "citizen"  # a logged-in citizen; sees own bills and claims only
    STAFF = "staff"  # any signed-in member of staff
    CLERK = "clerk"  # staff at the window, and supervisors
    REVIEWER = "reviewer"  # staff who review, and their supervisors
    INSPECTOR = "inspector"  # staff who work on leads, and supervisors
    SUPERVISOR = "supervisor"  # staff who see every case and draw


def access(rule: AccessRule) -> Callable[[View], View]:
    """Declare who may call a view."""

    def declare(view: View) -> View:
        view.access_rule = rule  # type: ignore[attr-defined]
        return view

    return declare


def rule_of(app: Flask, endpoint: str | None) -> AccessRule | None:
    """The declared rule of an endpoint, or None where nothing was declared."""
    view = app.view_functions.get(endpoint or "")
    while view is not None:
        declared = getattr(view, "access_rule", None)
        if declared is not None:
            return AccessRule(declared)
        view = getattr(view, "__wrapped__", None)
    return None


def require_declared_rules(app: Flask) -> None:
    """Raise at start-up when any route has no rule."""
    undeclared = [r.rule for r in app.url_map.iter_rules() if rule_of(app, r.endpoint) is None]
    if undeclared:
        raise RuntimeError(f"routes without an access rule: {', '.join(sorted(undeclared))}")
