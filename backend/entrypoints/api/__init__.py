"""The API under ``/v1``: for hospitals, and apart from it for commercial insurers.

Hospitals: bills in, states and proofs out, batches to sign, findings to answer. Insurers: what
citizens opened to them, and their own claims."""

from backend.entrypoints.api import finding_views, payer_views, problem_codes, views
from backend.entrypoints.api.authentication import authenticate
from backend.entrypoints.api.payer_authentication import authenticate_payer

blueprint = views.blueprint
problem_codes.declare()

__all__ = ["authenticate", "authenticate_payer", "blueprint", "finding_views", "payer_views"]
