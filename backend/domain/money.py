"""Money as whole fen, and the only three operations that may round it.

Amounts inside are ``int`` fen; line amounts keep four decimals of a yuan (``e4``), prices six
(``e6``), quantities four (``e4``), as the national fee detail does (fields ``cnt`` N16,4 and
``pric`` N16,6). Ratios are exact: basis points or :class:`fractions.Fraction`, never floats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backend.domain.errors import DomainError

FEN_MAX = 2**40 - 1
"""Largest amount of one bill: the ledger's slot keeps a total in 40 bits (about 11 bn yuan)."""

E4_PER_FEN = 100
"""Units of the fourth decimal of a yuan in one fen."""

_YUAN = re.compile(r"(-?)(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?")


class MoneyError(DomainError):
    """An amount that is not one, or that cannot be divided as asked."""

    code = "bad-amount"


def parse_yuan(text: str) -> int:
    """Fen of a decimal yuan text such as ``"12.34"``; a third decimal is refused, not rounded."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise MoneyError(
            "金额要写成最多两位小数的元，例如 12.34。",
            "Write an amount in yuan with at most two decimals, for example 12.34.",
        )
    sign, whole, decimals = match.groups()
    fen = int(whole) * 100 + int((decimals or "").ljust(2, "0"))
    return -fen if sign else fen


def format_yuan(amount_fen: int) -> str:
    """Yuan with two decimals and thousands separators: ``-80000`` fen is ``"-800.00"``."""
    sign = "-" if amount_fen < 0 else ""
    whole, fen = divmod(abs(amount_fen), 100)
    return f"{sign}{whole:,}.{fen:02d}"


def round_half_up(numerator: int, denominator: int) -> int:
    """The nearest integer of a non-negative fraction, one half going up.

    Raises :class:`MoneyError` on a negative numerator: a refund is negated as a whole, so that
    a bill and its red bill round alike.
    """
    if numerator < 0 or denominator <= 0:
        raise MoneyError("不能对负数取整。", "A negative amount is never rounded here.")
    return (2 * numerator + denominator) // (2 * denominator)


def allot(total: int, weights: Sequence[int]) -> list[int]:
    """Divide ``total`` over ``weights`` by largest remainder, ties to the lower index.

    The shares add up to ``total`` exactly. No share exceeds its weight when ``total`` does not
    exceed the sum of the weights. A total of 0 gives zeros; a positive total over weights that
    are all 0 raises :class:`MoneyError`, as there is no line to put it on.
    """
    if total == 0:
        return [0] * len(weights)
    whole = sum(weights)
    if total < 0 or whole <= 0 or min(weights) < 0:
        raise MoneyError("没有可以分摊的明细金额。", "There is no line amount to divide this over.")
    shares = [total * weight // whole for weight in weights]
    missing = total - sum(shares)
    if missing:
        remainders = [total * weight % whole for weight in weights]
        # sorted() is stable: equal remainders keep the order of the lines.
        for index in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[
            :missing
        ]:
            shares[index] += 1
    return shares


def allot_fen(total_fen: int, amounts_e4: Sequence[int]) -> list[int]:
    """Line amounts of four decimals as whole fen that add up to the bill's total.

    Each line is cut to the fen; the fen then missing go to the lines with the largest rest,
    ties to the lower line. Three lines of 10.0050 on a bill of 30.02 become 10.01, 10.01, 10.00.
    Raises :class:`MoneyError` when the lines, summed first and rounded half up once, are not the
    total (no tolerance), or when an amount is negative.
    """
    if amounts_e4 and min(amounts_e4) < 0:
        raise MoneyError("可报销的票据不能有负数明细。", "A claimable bill has no negative lines.")
    if round_half_up(sum(amounts_e4), E4_PER_FEN) != total_fen:
        raise MoneyError(
            "明细金额合计与票据总额不一致。", "The lines do not add up to the bill's total."
        )
    shares = [amount // E4_PER_FEN for amount in amounts_e4]
    missing = total_fen - sum(shares)
    if missing:
        rests = [amount % E4_PER_FEN for amount in amounts_e4]
        for index in sorted(range(len(rests)), key=rests.__getitem__, reverse=True)[:missing]:
            shares[index] += 1
    return shares
