"""The JSON API of people at work under ``/staff/v1``: cases, leads, samples, rules, figures."""

from backend.entrypoints.staff import (
    accident_views,
    adjustment_views,
    claim_views,
    clearing_views,
    lead_views,
    outside_views,
    payee_proof_views,
    payment_views,
    point_views,
    problem_codes,
    reconciliation_views,
    recovery_views,
    reopen_views,
    rule_views,
    sample_views,
    statement_views,
    views,
)
from backend.entrypoints.staff.session import authenticate

blueprint = views.blueprint
problem_codes.declare()
lead_views.add_step_routes()

__all__ = [
    "accident_views",
    "adjustment_views",
    "authenticate",
    "blueprint",
    "claim_views",
    "clearing_views",
    "lead_views",
    "outside_views",
    "payee_proof_views",
    "payment_views",
    "point_views",
    "reconciliation_views",
    "recovery_views",
    "reopen_views",
    "rule_views",
    "sample_views",
    "statement_views",
]
