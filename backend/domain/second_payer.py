"""Second payers: what a citizen opens of a bill to a commercial insurer, and how the insurer's
claim on the ledger stands (design: ledger protocol, sections 3, 4 and 8).

Pure: a claim's state is read from the intents that it sent and from what the ledger made of them;
nothing is decided here that the ledger decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent

NON_BASIC: Final = "non-basic"
CONSENT_DAYS: Final = (30, 90, 180)
"""For how many days a citizen may open a bill; nothing is open without an end."""

LOCK: Final = dt.timedelta(days=30)
"""How long the ledger keeps a bill for an insurer before it must renew: far within the 180 days of
the contract, since the basic insurer's supplement waits meanwhile."""

DOCUMENT_BYTES_MAX: Final = 256 * 1024


class Part(StrEnum):
    """What of a bill a consent may open. Each is asked for by itself."""

    HEADER = "header"
    LINES = "lines"
    DECISION = "decision"


PART_ZH: Final = {
    Part.HEADER: "票面：医院、票号、日期、姓名、科室、就诊类别、诊断、金额、看病时谁付了多少",
    Part.LINES: "费用明细：每一项的名称、编码、类别、规格、单价、数量、金额、时间",
    Part.DECISION: "医保的核定结果：报了多少、各层多少、按哪版政策",
}

HEADER_FIELDS: Final = (
    "institution_code", "institution_name", "care_institution_code", "invoice_code",
    "invoice_number", "payer_name", "issued_on", "visit_on", "admitted_on", "discharged_on",
    "department", "medical_type", "diagnosis_code", "diagnosis_name", "total_fen",
    "fund_pay_fen", "other_pay_fen", "account_pay_fen", "own_pay_fen",
)  # fmt: skip
LINE_FIELDS: Final = (
    "name", "catalogue_code", "category_name", "level", "spec", "unit", "quantity", "price",
    "amount", "occurred_at",
)  # fmt: skip
DECISION_FIELDS: Final = (
    "payer_number", "outcome", "decision_version", "policy_hash", "submitted_fen", "paid_fen",
    "fulamt_ownpay_amt_fen", "overlmt_selfpay_fen", "preselfpay_amt_fen", "inscp_scp_amt_fen",
    "act_pay_dedc_fen", "hifp_pay_fen", "hifmi_pay_fen", "hifob_pay_fen", "maf_pay_fen",
    "cvlserv_pay_fen",
)  # fmt: skip
"""What each part shows, by name; whatever is not named here stays closed, new fields too."""


class ConsentRefusedError(DomainError):
    """What was ticked is no consent that can be given; nothing was stored."""

    code = "consent-refused"


def shown(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The named fields of a record that are there, in the order of the names."""
    return {name: record[name] for name in names if record.get(name) not in (None, "")}


def read_parts(ticked: Sequence[str]) -> tuple[Part, ...]:
    """The ticked parts in their order. Raises ConsentRefusedError for none or an unknown one."""
    known = {str(part) for part in Part}
    if not ticked or not set(ticked) <= known:
        raise ConsentRefusedError(
            "请至少勾选一项要给保险公司看的内容", "tick at least one part to be opened"
        )
    return tuple(part for part in Part if part in ticked)


def read_days(text: str) -> int:
    """For how many days to open. Raises ConsentRefusedError for a number that is not offered."""
    if text not in {str(days) for days in CONSENT_DAYS}:
        raise ConsentRefusedError("请选择开放多少天", "choose for how many days")
    return int(text)


class Phase(StrEnum):
    """How an insurer's claim stands. The last five are ends."""

    LODGING = "lodging"
    LODGED = "lodged"
    LAPSED = "lapsed"  # its deadline has passed: settle and renew hold until somebody expires it
    SETTLING = "settling"
    RELEASING = "releasing"
    EXPIRING = "expiring"
    HELD = "held"  # a call was set aside after many tries: the operator looks
    REFUSED = "refused"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"
    ENDED = "ended"  # the ledger says that the claim is not open any more


ENDS: Final = frozenset({Phase.REFUSED, Phase.SETTLED, Phase.RELEASED, Phase.EXPIRED, Phase.ENDED})

_PENDING: Final = {
    IntentKind.SETTLE: Phase.SETTLING,
    IntentKind.RELEASE: Phase.RELEASING,
    IntentKind.EXPIRE: Phase.EXPIRING,
}
_DONE: Final = {
    IntentKind.SETTLE: Phase.SETTLED,
    IntentKind.RELEASE: Phase.RELEASED,
    IntentKind.EXPIRE: Phase.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """``deadline`` is that of the lock where one is held; ``calls`` every call in its order."""

    phase: Phase
    deadline: dt.datetime | None
    calls: tuple[LedgerIntent, ...]

    @property
    def is_over(self) -> bool:
        return self.phase in ENDS

    @property
    def settled_fen(self) -> int | None:
        """What the ledger holds as settled by this claim; None while it is not settled."""
        for call in self.calls:
            if call.kind is IntentKind.SETTLE and call.is_final and call.took_effect:
                return int(call.payload["amount"])
        return None

    def last(self, kind: IntentKind) -> LedgerIntent | None:
        found = [call for call in self.calls if call.kind is kind]
        return found[-1] if found else None


def standing_of(calls: Sequence[LedgerIntent], now: dt.datetime) -> Standing:
    """How a claim stands whose first call is its lodge; ``calls`` in the order of asking."""
    told = tuple(calls)
    phase = _before_the_lock(told) or _end(told)
    if phase is not None:
        return Standing(phase, None, told)
    deadline = _deadline(told)
    pending = [_PENDING[c.kind] for c in told if not c.is_final and c.kind in _PENDING]
    if pending:
        return Standing(pending[-1], deadline, told)
    return Standing(Phase.LODGED if now <= deadline else Phase.LAPSED, deadline, told)


def _before_the_lock(calls: Sequence[LedgerIntent]) -> Phase | None:
    lodge = next(call for call in calls if call.kind is IntentKind.LODGE)
    if any(call.state is IntentState.QUARANTINED for call in calls):
        return Phase.HELD
    if not lodge.is_final:
        return Phase.LODGING
    return None if lodge.took_effect else Phase.REFUSED


def _end(calls: Sequence[LedgerIntent]) -> Phase | None:
    final = [call for call in calls if call.is_final]
    for call in final:
        if call.took_effect and call.kind in _DONE:
            return _DONE[call.kind]
    # A counter that is not open any more: somebody else has expired the lock.
    return Phase.ENDED if any(call.outcome == "stale" for call in final) else None


def _deadline(calls: Sequence[LedgerIntent]) -> dt.datetime:
    """The latest deadline that the ledger has taken."""
    taken = [
        int(call.payload["deadline"])
        for call in calls
        if call.kind in (IntentKind.LODGE, IntentKind.RENEW) and call.is_final and call.took_effect
    ]
    return dt.datetime.fromtimestamp(max(taken), dt.UTC)
