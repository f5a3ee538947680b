"""How the simulated bank treats an account, told by the number's last four digits.

The endings are for trying out what a real bank does seldom. Reason codes are those of the external
code set ExternalStatusReason1Code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``reject`` and ``returned`` are reason codes, empty for none; ``parts`` answers with
    *accepted* first; ``copies`` is how often the final answer comes; a ``silent`` account is
    never answered for."""

    reject: str = ""
    returned: str = ""
    parts: bool = False
    copies: int = 1
    silent: bool = False
    zh: str = ""


USUAL: Final = Behaviour()
ENDINGS: Final = {
    "0001": Behaviour(reject="AC01", zh="账号有误"),
    "0002": Behaviour(copies=2),
    "0003": Behaviour(parts=True),
    "0004": Behaviour(reject="AC04", zh="账户已销户"),
    "0006": Behaviour(reject="AC06", zh="账户已冻结"),
    "0008": Behaviour(returned="AC04", zh="入账后退回：账户已销户"),
    "0009": Behaviour(silent=True),
}


def behaviour_of(account_number: str) -> Behaviour:
    """What the simulated bank does with a payment to the account."""
    return ENDINGS.get(account_number[-4:], USUAL)
