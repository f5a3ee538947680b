"""The hospital API under ``/v1``: bills in, states and proofs out, batches to sign."""

from backend.entrypoints.api import problem_codes, views
from backend.entrypoints.api.authentication import authenticate

blueprint = views.blueprint
problem_codes.declare()

__all__ = ["authenticate", "blueprint"]
