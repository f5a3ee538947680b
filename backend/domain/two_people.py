"""Two people for one act: whether a second name is another person's.

A name is what a person signs with. Letters in another case, full-width letters and blanks are the
same name; the database compares names once more, without regard to case.
"""

from __future__ import annotations

import unicodedata

from backend.domain.errors import ForbiddenError


class SamePersonError(ForbiddenError):
    """One person tried to do both halves of an act that takes two."""

    code = "same-person"


def signature(name: str) -> str:
    """A name as it is compared."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def require_another(first: str, second: str) -> None:
    """Raises :class:`SamePersonError` when both names are one person's."""
    if signature(first) == signature(second):
        raise SamePersonError(
            f"这一步要另一个人来做：前一步是 {first.strip()} 做的",
            f"another person does this: {first.strip()} did the step before",
        )
