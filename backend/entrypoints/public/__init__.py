"""What anybody may ask: is the bill with this QR code genuine?"""

from backend.entrypoints.public.views import blueprint

__all__ = ["blueprint"]
