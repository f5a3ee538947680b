"""Rules of payouts: identifiers, lanes and their limits, the daily run's hour, bank reasons.

Identifiers derive from claim number, decision version and attempt alone, so that an instruction
that is written again after a crash or a restored backup is the one that the bank knows.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backend.domain.errors import DomainError
from backend.domain.local_time import SHANGHAI

END_TO_END_MAX: Final = 35
CLOCK_WRONG: Final = dt.timedelta(minutes=10)
"""More than two machines' clocks are apart."""
ATTEMPTS_MAX: Final = 3
"""So often is one payable tried without a person: a bank's own fault ends, or is looked into."""

_END_TO_END = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")

BANK_SIDE: Final = frozenset({"AB05", "AB06", "AB08", "AM04", "DT01", "ED05", "MS03", "TM01"})
"""ISO 20022 external status reasons that say nothing about the payee's account: time-out or
failure on the way (AB05, AB06, AB08, ED05), not enough on our account (AM04), the wrong day or too
late (DT01, TM01), not said (MS03). Such an instruction is tried again on the same account."""


ACCOUNT_GONE: Final = frozenset({"AC01", "AC03", "AC04", "AC07"})
"""The payee's account is wrong (AC01, AC03) or closed (AC04, AC07): no other money goes there."""

PAYEE_SIDE: Final = ACCOUNT_GONE | {
    "AC06", "AC11", "AC14", "AC16", "AC17", "BE01", "BE06", "CNOR", "RC01", "RC02", "RC04",
}  # fmt: skip
"""Reasons that the payee can mend: the account is blocked or of a wrong kind (AC06, AC11, AC14,
AC16, AC17), of another holder or unknown (BE01, BE06), or its bank is named wrongly (CNOR, RC01,
RC02, RC04). Any other reason that is not the bank's own fault is for the agency: our account
(AC02, AC05, AC13), our file (FF01, AM09, AM10), a limit (AM02, AM14), a cancellation (CANC, DS02,
CUST), a payee who has died (MD07), or a code that nobody has seen yet."""

REASON_ZH: Final = {
    "AC01": "账号有误",
    "AC03": "账号有误",
    "AC04": "账户已销户",
    "AC06": "账户已冻结",
    "AC07": "账户已销户",
    "AC14": "账户类别不能收款",
    "AC17": "账户正在清算",
    "BE01": "户名不符",
    "BE06": "银行查不到这个人",
    "CNOR": "开户银行有误",
    "RC01": "开户银行有误",
    "RC02": "开户银行有误",
    "RC04": "开户银行有误",
    "AM04": "付款账户余额不足",
    "CANC": "银行没有办理",
}
"""What the bank's reason says to a citizen; other codes are the bank's own fault or rare."""


class PayoutError(DomainError):
    """Something of a payout that cannot be."""

    code = "bad-payout"


@dataclass(frozen=True, slots=True)
class InstantLimits:
    """秒到账: at most so much at once, in fen. 0 switches the lane off."""

    bill_fen: int = 0
    person_day_fen: int = 0
    pool_day_fen: int = 0

    @property
    def is_on(self) -> bool:
        return min(self.bill_fen, self.person_day_fen, self.pool_day_fen) > 0

    def allow_bill(self, amount_fen: int) -> bool:
        return self.is_on and 0 < amount_fen <= self.bill_fen

    def allow_day(self, amount_fen: int, person_fen: int, pool_fen: int) -> bool:
        """Whether the amount fits on top of what the person and the pool got at once that day."""
        return (
            person_fen + amount_fen <= self.person_day_fen
            and pool_fen + amount_fen <= self.pool_day_fen
        )


@dataclass(frozen=True, slots=True)
class FundAccount:
    """The account that is debited: a fund's expenditure account at its bank."""

    holder: str = "衢州市医疗保障基金支出户（示例）"
    number: str = "TEST-FUND-330800"
    bank_code: str = ""

    @property
    def is_named(self) -> bool:
        return bool(self.holder and self.number)


@dataclass(frozen=True, slots=True)
class PayoutRules:
    """Settings of payouts. ``every_seconds``: a run so often instead of once a working day."""

    instant: InstantLimits = InstantLimits()
    run_at: dt.time = dt.time(16, 0)  # Asia/Shanghai
    every_seconds: int | None = None
    answer_hours: int = 24  # a bank that is silent for longer is an alarm
    region: str = "330800"  # the region of this installation's own account
    account: FundAccount = FundAccount()
    accounts: tuple[tuple[str, FundAccount], ...] = ()  # of further regions

    def account_of(self, region: str) -> FundAccount | None:
        """The account from which a region's fund pays; None where none is set."""
        found = dict(self.accounts).get(region)
        if found is None and region == self.region and self.account.is_named:
            return self.account
        return found


def is_run_due(
    rules: PayoutRules, now: dt.datetime, last: dt.datetime | None, *, is_working_day: bool
) -> bool:
    """Whether the daily run is to begin, ``last`` being when one was last finished (or None).

    ``is_working_day`` is asked of the local day of ``now``. A run that was finished in the future
    is a clock that stood wrong, and must not keep everybody from being paid until then.
    """
    if last is not None and last - now > CLOCK_WRONG:
        last = None
    if rules.every_seconds is not None:
        return last is None or now - last >= dt.timedelta(seconds=rules.every_seconds)
    local = now.astimezone(SHANGHAI)
    begins = dt.datetime.combine(local.date(), rules.run_at, SHANGHAI)
    return is_working_day and local >= begins and (last is None or last < begins)


def end_to_end_id(claim_number: str, decision_version: int, attempt: int) -> str:
    """The instruction's name at the bank, at most 35 characters of letters, digits and "-".

    Raises :class:`PayoutError` for a claim number that does not fit.
    """
    found = f"{claim_number}-V{decision_version}-A{attempt}"
    if len(found) > END_TO_END_MAX or _END_TO_END.fullmatch(found) is None:
        raise PayoutError("付款编号过长或含有不能用的字符", f"{found!r} is no payment identifier")
    return found


_PARTS = re.compile(
    r"(?P<number>[A-Za-z0-9-]+)-V(?P<version>[1-9][0-9]{0,3})-A(?P<attempt>[1-9][0-9]?)"
)


def parse_end_to_end_id(name: str) -> tuple[str, int, int] | None:
    """(claim number, decision version, attempt) of an instruction of ours; None for another."""
    found = _PARTS.fullmatch(name)
    if found is None or len(name) > END_TO_END_MAX:
        return None
    return found["number"], int(found["version"]), int(found["attempt"])


def message_id(made_at: dt.datetime, lane: str, end_to_end_ids: Iterable[str]) -> str:
    """The name of a payment file: ``YC20261120D-`` and 20 hex digits of the SHA-256 of its instant
    and its instructions' names, one a line. A file that is written again after a restored backup
    is another file; its instructions keep their names."""
    named = "\n".join((made_at.astimezone(dt.UTC).isoformat(), *end_to_end_ids))
    digest = hashlib.sha256(named.encode()).hexdigest()[:20].upper()
    return f"YC{made_at.astimezone(SHANGHAI):%Y%m%d}{lane[0].upper()}-{digest}"


KNOWN_AT_THE_BANK: Final = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"})
"""Rejected as a duplicate (AM05 "Duplication" is the usual code): the bank carried it out, or is
about to, under the same name. That is no rejection, and must never lead to another payment."""


OF_THE_WHOLE: Final = "FILE-"


def reason_of_the_whole(code: str) -> str:
    """A reason that the bank gives for a whole file or order, as that of each of its instructions.

    What it says of an account is said of ours, from which the file is paid: ``FILE-`` stands
    before such a code, so that no payee is told of it and no payee's account is closed by it.
    """
    return OF_THE_WHOLE + code if code in PAYEE_SIDE else code


_NUMBER: Final = re.compile(r"[0-9](?:[ -]?[0-9]){7,}", re.ASCII)


def without_numbers(text: str) -> str:
    """A bank's words without account numbers: of 8 digits or more the last four stay."""
    return _NUMBER.sub(lambda found: "…" + re.sub("[ -]", "", found[0])[-4:], text)


def may_try_again(
    attempt: int,
    reason_code: str,
    *,
    is_other_account: bool,
    is_released: bool,
) -> bool:
    """Whether an attempt that was rejected or returned may be followed by another one.

    To another account always; to the same one for a bank-side reason, a few times, or when a
    person has released it since the answer.
    """
    if is_other_account or is_released:
        return True
    return reason_code in BANK_SIDE and attempt < ATTEMPTS_MAX
