"""The JSON API of people at work under ``/staff/v1``: cases, steps, material, figures."""

from backend.entrypoints.staff import claim_views, outside_views, problem_codes, views
from backend.entrypoints.staff.session import authenticate

blueprint = views.blueprint
problem_codes.declare()

__all__ = ["authenticate", "blueprint", "claim_views", "outside_views"]
