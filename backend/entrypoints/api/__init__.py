"""The hospital API under ``/v1``: bills in, states and proofs out, batches to sign,
findings to answer."""

from backend.entrypoints.api import finding_views, problem_codes, views
from backend.entrypoints.api.authentication import authenticate

blueprint = views.blueprint
problem_codes.declare()

__all__ = ["authenticate", "blueprint", "finding_views"]
