"""Any order of acts with money: for Hypothesis, and for walks that only a seed decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.machine.databases import Databases
from tests.machine.money_accounts import WHOSE
from tests.machine.money_bank import FATES, NOISES
from tests.machine.money_insurers import CALLS, INSURERS
from tests.machine.money_later import LaterWalk
from tests.machine.money_walk import COMMITS, PEOPLE, POINTS
from tests.machine.money_year import LEARNT

PLACES: Final = range(21)
WHO: Final = range(PEOPLE)
SEVERAL_NOISES: Final = tuple(NOISES[n:][:4] + NOISES[: max(0, n - 8)] for n in range(12))
FATES_OF_A_FILE: Final = tuple(
    list(pair) for pair in product(("paid", *FATES), ("paid", *FATES)) if pair != ("silent",) * 2
)

DECISIONS: Final = (
    ("first",), ("first", "second"), ("first", "first", "second"), ("dismissed",),
    ("first", "second"),
)  # fmt: skip
RECEIPTS: Final = ((30,), (50, 60), (100,), (101, 40))

ACTS: Final[Sequence[tuple[str, dict[str, Sequence[Any]]]]] = (
    ("claim", {"who": WHO, "yuan": (100, 400, 900, 6_000)}),
    ("claim", {"who": WHO, "yuan": (400, 900)}),
    ("appeal", {"place": PLACES, "is_upheld": (True, True, False)}),
    ("work", {}),
    ("review", {}),
    ("go_on", {"rounds": (1, 2, 3, 4)}),
    ("go_on", {"rounds": (2, 6)}),
    ("pay", {}),
    ("run_by_hand", {}),
    ("die_at", {"point": POINTS, "count": (1, 1, 2)}),
    ("die_at", {"point": POINTS, "count": (1, 1, 2)}),
    ("die_at", {"point": COMMITS, "count": tuple(range(1, 26))}),
    ("die_at", {"point": COMMITS, "count": tuple(range(1, 12))}),
    ("database_fails", {"what": ("begin", "commit"), "count": (0, 1, 3, 7, 15)}),
    ("pay_day", {"rounds": (1, 2)}),
    ("pay_day", {"rounds": (1, 2)}),
    ("interleave", {"point": POINTS, "count": (1, 1, 2)}),
    ("interleave_reading", {}),
    ("bank_works", {"fates": FATES_OF_A_FILE}),
    ("bank_works", {"fates": FATES_OF_A_FILE}),
    ("bank_works", {"fates": FATES_OF_A_FILE}),
    ("money_comes_back", {"place": PLACES}),
    ("noise", {"kinds": SEVERAL_NOISES, "place": PLACES}),
    ("noise", {"kinds": SEVERAL_NOISES, "place": PLACES}),
    ("name_account", {"who": WHO, "whose": ("own", "own", *WHOSE), "days": (0, 1, 3, 3)}),
    ("name_account", {"who": WHO, "whose": ("own",), "days": (0, 3)}),
    ("cancel_change", {"who": WHO, "is_fresh": (True, False)}),
    ("guardian", {"place": PLACES}),
    ("stop", {"place": PLACES, "is_stopped": (True,)}),
    ("stop", {"place": PLACES, "is_stopped": (True, True, False)}),
    ("reverse", {"place": PLACES}),
    ("reorganise", {"depth": (1, 3, 5)}),
    ("trouble", {"what": ("the ledger is down", "the bank is down", "all is well", "all is well")}),
    ("reconcile_day", {}),
    ("time_passes", {"seconds": (1, 60, 3_600, 86_400)}),
)
"""Name of an act, and from what each of its values is taken."""

CONFIRMED: Final = (("复核甲", "复核乙"), ("复核甲", "复核甲"), ("驳回",), ("复核甲", "驳回"))

YEAR_ACTS: Final[Sequence[tuple[str, dict[str, Sequence[Any]]]]] = (
    ("learn", {"who": WHO, "what": LEARNT}),
    ("try_clearing", {}),
    ("clear", {"who": WHO, "what": (*LEARNT, *LEARNT, "")}),
    ("clear", {"who": WHO, "what": LEARNT}),
    ("clear", {"who": WHO, "what": LEARNT}),
    ("pay_day", {"rounds": (1, 2)}),
    ("confirm_clearing", {"place": (0, 1), "people": CONFIRMED}),
    ("confirm_clearing", {"place": (0, 1, 2), "people": CONFIRMED[:2]}),
    ("lower", {"place": PLACES, "fen": (1, 1_000, 1_000_000), "is_upheld": (True, True, False)}),
    ("find", {"place": PLACES, "fen": (500, 4_000, 90_000), "with_what": ("claim", "bill")}),
)
"""What is worked out again, and on what grounds money is asked back."""

OPENED: Final = (("header", "lines", "decision"), ("header",), ("decision",))

INSURER_ACTS: Final[Sequence[tuple[str, dict[str, Sequence[Any]]]]] = (
    ("open_bill", {"place": PLACES, "payer": INSURERS, "days": ("30", "90"), "parts": OPENED}),
    ("open_bill", {"place": PLACES, "payer": INSURERS, "days": ("30", "180"), "parts": OPENED}),
    ("take_back", {"place": PLACES}),
    ("read_bill", {"place": PLACES, "payer": INSURERS}),
    ("lodge", {"place": PLACES}),
    ("lodge", {"place": PLACES}),
    ("insurer", {"place": PLACES, "what": CALLS[1:], "part": (30, 60, 100, 120)}),
    ("insurer", {"place": PLACES, "what": ("settle",), "part": (40, 100, 110)}),
    ("insurer", {"place": PLACES, "what": ("renew",), "part": (100,)}),
    ("ask_again", {"place": PLACES}),
    ("time_passes", {"seconds": (86_400, 31 * 86_400)}),
)
"""What a person opens of a bill, and what insurers do with it."""

RESTORE: Final[dict[str, Sequence[Any]]] = {
    "who": WHO,
    "fates": FATES_OF_A_FILE,
    "rounds": (1, 2, 3),
    "hours": (0, 1, 30, 80),
    "is_late": (False, True),
    "is_owed": (True, False),
}

LATER_ACTS: Final[Sequence[tuple[str, dict[str, Sequence[Any]]]]] = (
    ("withdraw", {"place": PLACES, "state": ("void", "reversed")}),
    ("ask_back", {}),
    ("withdraw", {"place": PLACES, "state": ("void", "reversed")}),
    ("propose", {"place": PLACES, "half": (True, False), "hows": DECISIONS}),
    ("money_comes_in", {"place": PLACES, "parts": RECEIPTS, "is_again": (True, False)}),
    ("money_comes_in", {"place": PLACES, "parts": RECEIPTS, "is_again": (True, False)}),
    ("divide", {"place": PLACES, "count": (1, 3, 7), "days": (0, 10)}),
    ("receipt_file", {"place": PLACES, "part": (20, 40, 100), "fault": ("", "", "unknown")}),
    ("receipt_file", {"place": PLACES, "part": (30, 60), "fault": ("", "cut off")}),
    ("give_up", {"place": PLACES, "who": ("复核甲", "复核乙", "复核乙")}),
    ("restore", RESTORE),
    ("restore", RESTORE),
)
"""After money was paid: it is asked back, or the database is an older one."""

_DAYS: Final = tuple(act for act in ACTS if act[0] in ("go_on", "bank_works", "claim", "pay_day"))
ACCOUNT_ACTS: Final = (
    *(act for act in ACTS if act[0] in ("name_account", "cancel_change", "guardian")),
    *_DAYS,
    ("name_account", {"who": WHO, "whose": ("own",), "days": (0,)}),
    ("cancel_change", {"who": WHO, "is_fresh": (True, False)}),
    ("cancel_change", {"who": WHO, "is_fresh": (True, False)}),
    ("time_passes", {"seconds": (80 * 3_600,)}),
    ("money_comes_back", {"place": PLACES}),
)
OWED_ACTS: Final = (
    *(act for act in LATER_ACTS if act[0] not in ("restore", "propose", "withdraw")),
    ("withdraw", {"place": PLACES, "state": ("void", "reversed")}),
    ("give_up", {"place": PLACES, "who": ("复核甲",)}),
    ("give_up", {"place": PLACES, "who": ("复核甲",)}),
    ("propose", {"place": PLACES, "half": (True, False), "hows": DECISIONS}),
    ("propose", {"place": PLACES, "half": (True, False), "hows": DECISIONS[1:2]}),
)
RESTORE_ACTS: Final = (*_DAYS, ("restore", RESTORE), ("restore", RESTORE))
"""A part of the acts, for bugs that only they can show."""

ALL_ACTS: Final = (*ACTS, *LATER_ACTS, *INSURER_ACTS, *YEAR_ACTS)

Act = tuple[str, dict[str, Any]]


def _strategy(name: str, values: dict[str, Sequence[Any]]) -> st.SearchStrategy[Act]:
    drawn = {key: st.sampled_from(list(found)) for key, found in values.items()}
    return st.tuples(st.just(name), st.fixed_dictionaries(drawn))


class MoneyMachine(LaterWalk):
    """Everything may happen at any moment. One rule, as in ``state_machine``."""

    @rule(act=st.one_of(*(_strategy(name, values) for name, values in ALL_ACTS)))
    def anybody(self, act: Act) -> None:
        name, values = act
        getattr(self, name)(**values)


def seeded_walk(
    databases: Databases,
    seed: int,
    steps: int,
    happened: Any = None,
    *,
    acts: Any = ALL_ACTS,
    paid: int = 0,
) -> None:
    """Walk at random over the acts with every promise asked after each; raises what breaks.

    ``paid``: on so many days before the first act the bank pays what it is told.
    """
    members = {"databases": databases} | ({} if happened is None else {"happened": happened})
    town: MoneyMachine = type("OwnMachine", (MoneyMachine,), members)()
    draw = random.Random(seed)
    town.begin()
    town.promises_hold()
    town.pay_day(paid)
    town.promises_hold()
    for _ in range(steps):
        name, values = draw.choice(acts)
        getattr(town, name)(**{key: draw.choice(found) for key, found in values.items()})
        town.promises_hold()
    town.teardown()
