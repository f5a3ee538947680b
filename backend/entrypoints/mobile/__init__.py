"""The citizen's pages under ``/m``."""

from backend.entrypoints.mobile import (
    accident_views,
    account_views,
    material_views,
    outside_views,
    recovery_views,
    review_views,
    sharing_views,
)
from backend.entrypoints.mobile.session import authenticate
from backend.entrypoints.mobile.views import blueprint

__all__ = [
    "accident_views",
    "account_views",
    "authenticate",
    "blueprint",
    "material_views",
    "outside_views",
    "recovery_views",
    "review_views",
    "sharing_views",
]
