"""Does the bank know files of ours that this database does not? It does after a restored backup.

A file's bytes are committed before the bank gets them, and a bank's file is kept before it is put
away. So a name on the bank's side that is unknown here means that rows were lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.service_layer.claims.holds import BANK_AHEAD, show_held_payouts
from backend.service_layer.money_reconciliation.ports import MoneyServices

SUBJECT: Final = "bank"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class BankComparison:
    """Names on the bank's side that are unknown here."""

    handed_over: tuple[str, ...]
    dealt_with: tuple[str, ...]

    @property
    def is_ahead(self) -> bool:
        return bool(self.handed_over or self.dealt_with)

    def sentence(self) -> str:
        names = [*self.handed_over, *self.dealt_with]
        rest = f"; and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return "unknown here: " + "; ".join(names[:_SHOWN]) + rest


def compare_bank(deps: MoneyServices) -> BankComparison:
    """Compare names alone. Raises BankUnavailableError."""
    handed, dealt_with = deps.bank.handed_names(), deps.bank.dealt_with_names()
    with deps.work(write=False) as work:
        files, messages = work.money_rules.known_names()
    return BankComparison(
        tuple(sorted(name for name in handed if name.removesuffix(".xml") not in files)),
        tuple(sorted(name for name in dealt_with if not _is_known(name, messages))),
    )


def _is_known(name: str, messages: set[str]) -> bool:
    """A file that came under a name that was there already was put away under a number."""
    number, _, rest = name.partition("-")
    return name[:200] in messages or (number.isdecimal() and rest[:200] in messages)


def hold_if_ahead(deps: MoneyServices) -> BankComparison:
    """Raise the alarm that holds every payout when the bank is ahead; else close it."""
    comparison = compare_bank(deps)
    with deps.work() as work:
        was_open = BANK_AHEAD in work.alarms.open_counts()
        work.alarms.clear(BANK_AHEAD, SUBJECT)
        if comparison.is_ahead:
            work.alarms.raise_alarm("bank-ahead", SUBJECT, comparison.sentence())
        work.commit()
    if was_open or comparison.is_ahead:
        show_held_payouts(_claims(deps))
    return comparison


def _claims(deps: Any) -> Any:
    """Services of the whole system, of which the claims' are a part."""
    return deps
