"""Two people for one act: whether a second name is another person's.

A name is what a person signs with. Letters in another case, full-width letters and blanks are the
same name; the database compares names once more, without regard to case.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from backend.domain.errors import ForbiddenError


class SamePersonError(ForbiddenError):
    """One person tried to do both halves of an act that takes two."""

    code = "same-person"


MACHINES: Final = frozenset({"worker", "reconcile", "system", "yichu", "系统"})
"""Names under which the program itself stands in the books: no person's, as :func:`signature`
compares them."""


def is_machine(name: str) -> bool:
    """Whether a name is one of the program's own."""
    signed = signature(name)
    return signed in MACHINES or signed.partition(":")[0] in MACHINES


def signature(name: str) -> str:
    """A name as it is compared."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def require_another(first: str, second: str) -> None:
    """Raises :class:`SamePersonError` when both names are one person's, or the first step was the
    program's own: a machine is none of two people."""
    if is_machine(first):
        raise SamePersonError(
            "前一步是系统做的，不算一个人：先由一个人登记，再由另一个人来做",
            "the step before was the program's own, which is nobody: one person does it first, "
            "another one does this",
        )
    if signature(first) == signature(second):
        raise SamePersonError(
            f"这一步要另一个人来做：前一步是 {first.strip()} 做的",
            f"another person does this: {first.strip()} did the step before",
        )
