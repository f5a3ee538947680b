"""Pictures that people upload: opened by Pillow within limits, re-encoded for viewing.

The original stays as it came. The viewing copy is decoded and encoded anew, turned upright and
scaled down, so that no metadata (place, device, owner) and no hidden content reaches a browser.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from backend.service_layer.outside.errors import UnusableFileError

PIXELS_MAX: Final = {"JPEG": 40_000_000, "PNG": 24_000_000}
"""By format: a PNG is always decoded in full size, and a small file may unpack to all of it."""
SIDE_MAX: Final = 20_000
SIDE_MIN: Final = 300
#: Enough to read a cost list printed on A4.
VIEWING_SIDE: Final = 2_400
_QUALITY: Final = 85
_DAMAGE: Final = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError,
    EOFError, MemoryError, OverflowError, struct.error, zlib.error,
)  # fmt: skip


def viewing_copy(data: bytes, picture_format: str) -> bytes:
    """The picture as a JPEG without metadata. ``picture_format`` is JPEG or PNG, by its magic.

    Raises UnusableFileError for what is too large, too small, cut off or no picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        try:
            with Image.open(io.BytesIO(data), formats=(picture_format,)) as opened:
                # From the header, before anything is decoded.
                _check_size(*opened.size, PIXELS_MAX[picture_format])
                opened.verify()
            with Image.open(io.BytesIO(data), formats=(picture_format,)) as opened:
                if picture_format == "JPEG":
                    opened.draft("RGB", (VIEWING_SIDE, VIEWING_SIDE))
                opened.load()
                return _encode(opened)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise UnusableFileError("picture-too-large") from error
        except _DAMAGE as error:
            raise UnusableFileError("bad-picture") from error


def _check_size(width: int, height: int, pixels_max: int) -> None:
    if width * height > pixels_max or max(width, height) > SIDE_MAX:
        raise UnusableFileError("picture-too-large")
    if min(width, height) < SIDE_MIN:
        raise UnusableFileError("picture-too-small")


def _encode(opened: Image.Image) -> bytes:
    # Scaled down first: turning makes a copy, and a large picture is held once only.
    opened.thumbnail((VIEWING_SIDE, VIEWING_SIDE))
    upright = ImageOps.exif_transpose(opened)
    paper = Image.new("RGB", upright.size, "white")
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        paper.paste(layer, mask=layer.getchannel("A"))
    else:
        paper.paste(upright.convert("RGB"))
    target = io.BytesIO()
    paper.save(target, "JPEG", quality=_QUALITY)
    return target.getvalue()
