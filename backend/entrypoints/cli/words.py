"""What a person types as a name or a reason, within what a row can hold."""

from __future__ import annotations

from typing import Any, Final

import click

NAME_MAX: Final = 60
REASON_MAX: Final = 500


class Words(click.ParamType[str]):
    """A text of 1 to ``most`` characters, blanks around it not counted; else wrong usage."""

    name = "text"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = value.strip()
        if not 1 <= len(text) <= self._most:
            self.fail(
                f"要写 1 到 {self._most} 个字 / needs 1 to {self._most} characters", param, ctx
            )
        return text


def acting_name(services: Any, by: str) -> str:
    """Who a typed name is: a member of staff by username, else the name. Raises DomainError for
    somebody whose login has ended and for the program's own names."""
    from backend.service_layer.claims.acting import acting

    with services.work(write=False) as work:
        return acting(work, by)


NAME: Final = Words(NAME_MAX)
REASON: Final = Words(REASON_MAX)
