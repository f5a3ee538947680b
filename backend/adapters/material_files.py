"""What an attachment of the citizen is, by its bytes: never by its name or stated type."""

from __future__ import annotations

from typing import Final

from backend.adapters.pictures import viewing_copy
from backend.service_layer.outside.errors import UnusableFileError
from backend.service_layer.review.material import MaterialRefusedError

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PDF: Final = b"%PDF-"
_PDF_END: Final = b"%%EOF"
_PDF_TAIL: Final = 1024


class MaterialFiles:
    """Implements ``MaterialCheck``."""

    def media_type(self, content: bytes) -> str:
        """image/jpeg and image/png are decoded as a whole, within limits of size; a PDF has its
        beginning and end. Raises :class:`MaterialRefusedError`."""
        try:
            if content.startswith(_JPEG):
                viewing_copy(content, "JPEG")
                return "image/jpeg"
            if content.startswith(_PNG):
                viewing_copy(content, "PNG")
                return "image/png"
        except UnusableFileError as error:
            raise MaterialRefusedError(error.zh, error.en) from error
        if content.startswith(_PDF) and _PDF_END in content[-_PDF_TAIL:]:
            return "application/pdf"
        raise MaterialRefusedError(
            "只收 JPG、PNG 图片和完整的 PDF",
            "only JPEG and PNG pictures and whole PDF files are taken",
        )
