"""After a restored backup: what people said that neither chain nor bank knows may be missing.

The period is found and stored before anything is adopted, while the copy's own entries are still
the newest that it has. Two things stay open until two people end each of them: the alarm that holds
every payment, until the desks have looked for what they said in the period (stops and releases
above all), and the case about the citizens' words, until nothing is missing or everybody was asked.
Meanwhile accounts that may have been replaced get no money (:mod:`backend.domain.lost_period`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from backend.domain.errors import DomainError
from backend.domain.local_time import SHANGHAI
from backend.domain.lost_period import LostPeriod, period_since
from backend.service_layer.anchoring.adopt import Line, open_case
from backend.service_layer.anchoring.behind import Comparison, concerns, is_known
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.claims.holds import RECORDS_LOST, show_held_payouts
from backend.service_layer.money_reconciliation.ahead import compare_bank
from backend.service_layer.payout.ports import BankUnavailableError

KIND: Final = "words-lost"
VERDICT: Final = "lost"
_WHO: Final = (
    (
        "参保人 citizens",
        "收款账户、手机号、监护人、授权和撤销授权、撤回、申请复核、补交的材料、给医院外票据的登记",
        "accounts, telephone numbers, guardians, consents given and withdrawn, withdrawals, "
        "appeals, documents, bills from elsewhere. Their pages ask them to look",
    ),
    (
        "医院 hospitals",
        "已上传还没有上链的票据：请各医院把这段时间上传的全部再传一次（重复的不会记两次）",
        "bills that were uploaded and not yet anchored: let every hospital upload again what it "
        "sent in that time; what is here already is not stored twice",
    ),
    (
        "付款和财务 payments and books",
        "暂停和放行付款、入账和更正分录、对账单、对账待办的结案：放行前先问付款岗和财务岗",
        "stops and releases of payments, deposits and correcting entries, statements, closed "
        "cases: ask payment desk and accountants before payments go on",
    ),
    (
        "审核和追款 review and recovery",
        "审核意见、改定的提议和确认、分期、免除、收到的还款、年度清算的确认、稽核案件的步骤",
        "findings and resolutions of reviews, instalments, waivers, money received, "
        "confirmations of a clearing, steps of leads",
    ),
    (
        "商业保险 insurers",
        "递交的理赔和答复",
        "claims that they lodged, and what they answered: they send them again",
    ),
)


def note_lost_period(deps: Anchoring, services: Any, comparison: Comparison) -> LostPeriod | None:
    """Store the period of a restore that shows itself now, with its alarm and its case; None when
    chain and bank know nothing that is unknown here, or the period is known."""
    unknown = [*_unknown_on_chain(deps, services, comparison), *unknown_at_bank(services)]
    if not (comparison.is_ahead or unknown):
        return None
    return store_period(services, min((at for at in unknown if at is not None), default=None))


def store_period(services: Any, first_unknown_at: dt.datetime | None) -> LostPeriod | None:
    """Store the period of a restore whose oldest unknown fact is of that time; None when it is one
    that is stored already."""
    with services.work() as work:
        if any(one.covers(first_unknown_at) for one in work.lost_periods.periods()):
            return None
        now = services.clock.now()
        cursor = work.chain.cursor()
        followed_at = None if cursor is None else cursor.at
        newest = work.lost_periods.newest_entry(first_unknown_at or followed_at or now)
        since = period_since(newest, followed_at, first_unknown_at, now)
        accounts_from = since + services.settings.payee_delay
        period = LostPeriod(
            f"restore-{now:%Y%m%dT%H%M%SZ}", since, now, first_unknown_at, accounts_from, now
        )
        case_id = f"words:{period.id}"
        in_time = now + dt.timedelta(hours=services.settings.case_hours)
        said = {"since": since.isoformat(), "until": now.isoformat()}
        open_case(work, case_id, KIND, said, accounts_from if accounts_from > now else in_time)
        work.lost_periods.add(period, case_id)
        work.alarms.raise_alarm(RECORDS_LOST, period.id, f"{_span(period)}: {_HELD_EN}")
        work.commit()
    show_held_payouts(services)
    return period


def _unknown_on_chain(
    deps: Anchoring, services: Any, comparison: Comparison
) -> list[dt.datetime | None]:
    """When the first event of ours was mined that is unknown here."""
    first, last = comparison.first_block, comparison.head.number
    if not comparison.is_ahead or first > last:
        return []
    events = deps.node.events(first, last)
    with deps.work(write=False) as work:
        parties = work.reconciliation.parties(services.settings.payer_number)
        ours = (one for one in events if concerns(one, parties))
        number = next((one.block_number for one in ours if not is_known(work, one.tx_hash)), None)
    block = None if number is None else deps.node.block(number)
    return [] if block is None else [block.at]


def unknown_at_bank(services: Any) -> list[dt.datetime | None]:
    """When the files of the exchange that are unknown here were made, None where that cannot be
    read. A bank that cannot be reached is asked when its files are adopted."""
    try:
        bank = compare_bank(services)
        if not bank.is_ahead:
            return []
        handed = [file for file in services.bank.handed_over() if file.name in bank.handed_over]
        came = [file for file in services.bank.received() if file.name in bank.dealt_with]
    except BankUnavailableError:
        return []
    read_ours, read_theirs = services.payment_format.read_payment, services.payment_format.read
    found: list[dt.datetime | None] = [None]
    for read, files in ((read_ours, handed), (read_theirs, came)):
        for file in files:
            try:
                found.append(read(file.content).created_at)
            except DomainError:
                continue  # adopting it says what is wrong with it
    return found


_HELD_ZH: Final = "付款全部暂停，等两个人核对后放行"
_HELD_EN: Final = "every payment is held until two people have looked"


def _span(period: LostPeriod) -> str:
    return f"{_local(period.since)} - {_local(period.until)}"


def _local(at: dt.datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def lost_lines(services: Any) -> list[Line]:
    """What may be missing of each open period, who is asked, and what is to be done."""
    with services.work(write=False) as work:
        periods = [one for one in work.lost_periods.periods() if one.is_open]
        held = {subject for _, subject in work.reconciliation.holding_alarms([RECORDS_LOST])}
    return [line for one in periods for line in _lines_of(one, is_held=one.id in held)]


def _lines_of(period: LostPeriod, *, is_held: bool) -> list[Line]:
    span = _span(period)
    lines = [
        Line(
            VERDICT,
            span,
            "数据库是从旧备份恢复的。北京时间这一段里说过、而账本和银行都不知道的，可能没有了 / "
            "the database was restored from a backup. What was said in this time (Beijing) and "
            "neither chain nor bank knows may be missing:",
        )
    ]
    lines += [Line(VERDICT, who, f"{zh} / {en}") for who, zh, en in _WHO]
    if is_held:
        lines.append(
            Line(
                VERDICT,
                "放行 payments",
                f"{_HELD_ZH}：一人 --close alarm:{RECORDS_LOST}:{period.id}，另一人 --confirm / "
                f"{_HELD_EN}: one with --close alarm:{RECORDS_LOST}:{period.id}, another one "
                "with --confirm",
            )
        )
    at = _local(period.accounts_from)
    lines.append(
        Line(
            VERDICT,
            "账户 accounts",
            f"从 {at} 起，备份以前填的账户要由本人说“还是这个账户”才打款；"
            f"查明没有遗失，或都问过了，由两个人结案 words:{period.id} / from {at} on an account "
            "named before the backup is paid to when its person has said that it is still right; "
            f"when nothing is missing or everybody was asked, two people close words:{period.id}",
        )
    )
    return lines
