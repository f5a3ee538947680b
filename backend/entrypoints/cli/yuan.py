"""An amount of money as people at the command line write it: yuan, never fen."""

from __future__ import annotations

from typing import Any

import click

from backend.domain.errors import DomainError
from backend.domain.journal import AMOUNT_FEN_MAX
from backend.domain.money import format_yuan, parse_yuan


class Yuan(click.ParamType[int]):
    """Yuan with at most two decimals, thousands separators allowed; the value is whole fen.

    ``least_fen`` is the smallest amount that is taken."""

    name = "yuan"

    def __init__(self, least_fen: int) -> None:
        self._least_fen = least_fen

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):  # converted before
            return value
        try:
            fen = parse_yuan(str(value).replace(",", ""))
        except DomainError as error:
            self.fail(f"{error.zh} / {error.en}", param, ctx)
        if not self._least_fen <= fen <= AMOUNT_FEN_MAX:
            least, most = format_yuan(self._least_fen), format_yuan(AMOUNT_FEN_MAX)
            self.fail(f"金额在 {least} 到 {most} 元之间 / {least} to {most} yuan", param, ctx)
        return fen
