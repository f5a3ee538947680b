"""The citizen's pages under ``/m``."""

from backend.entrypoints.mobile.session import authenticate
from backend.entrypoints.mobile.views import blueprint

__all__ = ["authenticate", "blueprint"]
