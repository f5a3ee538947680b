"""Settings: read from the environment once, frozen, no default secrets."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import DomainError
from backend.domain.finality import BLOCKS_MAX, FinalityKind, FinalityRule, FinalityRuleError
from backend.domain.payout import FundAccount, InstantLimits, PayoutRules
from backend.domain.review import ReviewLimits
from backend.domain.sampling import SampleLimits
from backend.domain.supervision import SupervisionClocks

SECRET_BYTES = 32


class SettingsError(DomainError):
    """A setting is missing or has an impossible value; the start stops."""

    code = "bad-setting"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between installations. docs/operating.md has the table."""

    database_url: str
    rpc_urls: tuple[str, ...]
    var_dir: Path
    secrets_dir: Path
    keystore_dir: Path
    fee_mode: str  # legacy-zero | eip1559-zero | market
    finality: FinalityRule  # which block of this network is final
    probe_blocks: int  # blocks within which a start-up no-op must be mined; 0: no probe
    stall_seconds: int  # no block for so long while transactions wait is an alarm
    stall_blocks: int  # so many blocks without an account's waiting nonce is an alarm
    max_fee_gwei: int  # the most that is offered for a gas at a market price
    payer_number: int  # this agency's payer number
    region: str  # selects policy packs, e.g. 330800
    promise_working_days: int
    legal_working_days: int
    appeal_days: int  # calendar days after a decision in which the citizen may appeal
    appeal_promise_working_days: int
    appeal_legal_working_days: int
    max_body_bytes: int
    max_lines: int
    max_nesting: int  # of an uploaded document
    review: ReviewLimits  # risk, second approver, how long a step is held
    sample: SampleLimits  # what goes to post-audit, and when it is drawn
    supervision: SupervisionClocks  # days of a provider's answer, appeal and its review
    bank: str  # simulated | folder
    payee_delay: dt.timedelta  # how long a change of account waits before it takes effect
    reconcile_at: dt.time  # local time from which the day's reconciliation is due
    reconcile_overdue_hours: int  # without a report for so long is an alarm
    reconcile_hold_hours: int  # without a report for so long no money leaves
    statement_hours: int  # without a statement of the bank for so long is an alarm; 0: none is due
    case_hours: int  # within which a mismatch of money is to be dealt with
    payout: PayoutRules  # lanes, the daily run, the account that is debited
    batch_seconds: float  # cadence at which open batches are closed
    lan: bool
    public_url: str

    @property
    def lan_code_path(self) -> Path:
        """Where the supervisor leaves the one-time code for the sample logins (its hash)."""
        return self.var_dir / "lan-code"

    def secret(self, name: str) -> bytes:
        """The 32-byte secret ``name`` (network_key, wrapping_key, session_key).

        From ``YICHU_<NAME>`` (hex) or the file ``<secrets_dir>/<name>`` (hex); never a default.
        """
        text = os.environ.get(f"YICHU_{name.upper()}", "")
        path = self.secrets_dir / name
        if not text and path.is_file():
            text = path.read_text().strip()
        try:
            value = bytes.fromhex(text)
        except ValueError as error:
            raise SettingsError(
                f"密钥 {name} 不是十六进制", f"secret {name} is not hex; see docs/operating.md"
            ) from error
        if len(value) != SECRET_BYTES:
            raise SettingsError(
                f"缺少 32 字节密钥 {name}：请设置 YICHU_{name.upper()} 或文件 {path}",
                f"secret {name} (32 bytes, hex) is missing: set YICHU_{name.upper()} or {path}",
            )
        return value

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read ``YICHU_*`` once; raises :class:`SettingsError` naming the variable."""
        env = os.environ if environ is None else environ
        var_dir = Path(env.get("YICHU_VAR", "var")).absolute()
        fee_mode = env.get("YICHU_FEE_MODE", "legacy-zero")
        if fee_mode not in ("legacy-zero", "eip1559-zero", "market"):
            raise SettingsError(
                f"YICHU_FEE_MODE 不认识：{fee_mode}", f"YICHU_FEE_MODE is unknown: {fee_mode}"
            )
        rpc = env.get("YICHU_RPC_URLS", "http://127.0.0.1:8545")
        return cls(
            database_url=env.get("YICHU_DATABASE_URL", f"sqlite:///{var_dir}/yichu.db"),
            rpc_urls=tuple(url for url in rpc.split(",") if url),
            var_dir=var_dir,
            secrets_dir=Path(env.get("YICHU_SECRETS", str(var_dir / "secrets"))),
            keystore_dir=Path(env.get("YICHU_KEYSTORES", str(var_dir / "keystores"))),
            fee_mode=fee_mode,
            finality=_finality(env),
            probe_blocks=_whole(env, "YICHU_PROBE_BLOCKS", 10, 0, 10_000),
            stall_seconds=_whole(env, "YICHU_STALL_SECONDS", 60, 1, 86_400),
            stall_blocks=_whole(env, "YICHU_STALL_BLOCKS", 20, 1, 100_000),
            max_fee_gwei=_whole(env, "YICHU_MAX_FEE_GWEI", 200, 1, 1_000_000),
            payer_number=_whole(env, "YICHU_PAYER_NUMBER", 1, 1, 64),
            region=env.get("YICHU_REGION", "330800"),
            promise_working_days=_whole(env, "YICHU_PROMISE_WORKING_DAYS", 5, 1, 60),
            legal_working_days=_whole(env, "YICHU_LEGAL_WORKING_DAYS", 30, 1, 250),
            appeal_days=_whole(env, "YICHU_APPEAL_DAYS", 60, 1, 3650),
            appeal_promise_working_days=_whole(env, "YICHU_APPEAL_PROMISE_WORKING_DAYS", 10, 1, 60),
            appeal_legal_working_days=_whole(env, "YICHU_APPEAL_LEGAL_WORKING_DAYS", 20, 1, 250),
            max_body_bytes=_whole(env, "YICHU_MAX_BODY_BYTES", 8 * 2**20, 1024, 64 * 2**20),
            max_lines=_whole(env, "YICHU_MAX_LINES", 5_000, 1, 5_000),
            max_nesting=_whole(env, "YICHU_MAX_NESTING", 16, 1, 16),
            review=_review(env),
            supervision=SupervisionClocks(
                _whole(env, "YICHU_PROVIDER_ANSWER_WORKING_DAYS", 10, 1, 60),
                _whole(env, "YICHU_PROVIDER_APPEAL_WORKING_DAYS", 10, 1, 60),
                _whole(env, "YICHU_PROVIDER_REVIEW_WORKING_DAYS", 20, 1, 120),
            ),
            sample=_sample(env),
            bank=_bank(env),
            payee_delay=dt.timedelta(
                minutes=_whole(env, "YICHU_PAYEE_DELAY_MINUTES", 72 * 60, 0, 60 * 24 * 60)
            ),
            reconcile_at=_time(env, "YICHU_RECONCILE_AT", "02:00"),
            **_reconcile_hours(env),
            case_hours=_whole(env, "YICHU_CASE_HOURS", 72, 1, 720),
            payout=_payout(env),
            batch_seconds=_whole(env, "YICHU_BATCH_MILLISECONDS", 1_000, 0, 3_600_000) / 1000,
            lan=env.get("YICHU_LAN", "") == "1",
            public_url=env.get("YICHU_PUBLIC_URL", "http://127.0.0.1:8000"),
        )


def _finality(env: Mapping[str, str]) -> FinalityRule:
    """``YICHU_FINALITY``, or ``YICHU_FINALITY_BLOCKS=N`` as a short form of ``blocks:N``."""
    blocks = _whole(env, "YICHU_FINALITY_BLOCKS", 1, 1, BLOCKS_MAX)
    if not env.get("YICHU_FINALITY"):
        return FinalityRule(FinalityKind.BLOCKS, blocks)
    try:
        rule = FinalityRule.parse(env["YICHU_FINALITY"])
    except FinalityRuleError as error:
        raise SettingsError(f"YICHU_FINALITY：{error.zh}", f"YICHU_FINALITY: {error.en}") from error
    if "YICHU_FINALITY_BLOCKS" in env and rule != FinalityRule(FinalityKind.BLOCKS, blocks):
        raise SettingsError(
            "YICHU_FINALITY 与 YICHU_FINALITY_BLOCKS 矛盾，请只设前者",
            "YICHU_FINALITY and YICHU_FINALITY_BLOCKS contradict each other: set the first only",
        )
    return rule


def _review(env: Mapping[str, str]) -> ReviewLimits:
    usual = ReviewLimits()
    fen = 10**11
    return ReviewLimits(
        high_risk_above_fen=_whole(
            env, "YICHU_HIGH_RISK_ABOVE_FEN", usual.high_risk_above_fen, 0, fen
        ),
        high_risk_priority=_whole(env, "YICHU_HIGH_RISK_PRIORITY", usual.high_risk_priority, 0, 5),
        high_risk_severity=_whole(env, "YICHU_HIGH_RISK_SEVERITY", usual.high_risk_severity, 1, 6),
        second_approver_above_fen=_whole(
            env, "YICHU_SECOND_APPROVER_ABOVE_FEN", usual.second_approver_above_fen, 0, fen
        ),
        hold_hours=_whole(env, "YICHU_REVIEW_HOLD_HOURS", usual.hold_hours, 1, 720),
        material_days=_whole(env, "YICHU_MATERIAL_WORKING_DAYS", usual.material_days, 1, 60),
        step_days=_whole(env, "YICHU_REVIEW_STEP_WORKING_DAYS", usual.step_days, 1, 60),
    )


def _sample(env: Mapping[str, str]) -> SampleLimits:
    usual = SampleLimits()
    return SampleLimits(
        share_bp=_whole(env, "YICHU_SAMPLE_SHARE_BP", usual.share_bp, 0, 10_000),
        value_fen=_whole(env, "YICHU_SAMPLE_VALUE_FEN", usual.value_fen, 1, 10**11),
        variance_percent=_whole(
            env, "YICHU_SAMPLE_VARIANCE_PERCENT", usual.variance_percent, 1, 100_000
        ),
        period_days=_whole(env, "YICHU_SAMPLE_PERIOD_DAYS", usual.period_days, 1, 31),
        blocks_ahead=_whole(env, "YICHU_SAMPLE_BLOCKS_AHEAD", usual.blocks_ahead, 1, 1_000_000),
    )


def _bank(env: Mapping[str, str]) -> str:
    name = env.get("YICHU_BANK", "simulated")
    if name not in ("simulated", "folder"):
        raise SettingsError(f"YICHU_BANK 不认识：{name}", f"YICHU_BANK is unknown: {name}")
    return name


def _reconcile_hours(env: Mapping[str, str]) -> dict[str, int]:
    overdue = _whole(env, "YICHU_RECONCILE_OVERDUE_HOURS", 26, 1, 720)
    hold = _whole(env, "YICHU_RECONCILE_HOLD_HOURS", 72, 1, 720)
    if hold < overdue:
        raise SettingsError(
            "YICHU_RECONCILE_HOLD_HOURS 不能小于 YICHU_RECONCILE_OVERDUE_HOURS",
            "YICHU_RECONCILE_HOLD_HOURS must not be less than YICHU_RECONCILE_OVERDUE_HOURS",
        )
    return {
        "reconcile_overdue_hours": overdue,
        "reconcile_hold_hours": hold,
        "statement_hours": _whole(env, "YICHU_BANK_STATEMENT_HOURS", 48, 0, 720),
    }


def _payout(env: Mapping[str, str]) -> PayoutRules:
    fen = 10**11
    every = env.get("YICHU_PAYOUT_EVERY_SECONDS", "")
    # A real bank is never told an invented account.
    usual = FundAccount() if _bank(env) == "simulated" else FundAccount("", "", "")
    return PayoutRules(
        instant=InstantLimits(
            bill_fen=_whole(env, "YICHU_INSTANT_BILL_FEN", 0, 0, fen),
            person_day_fen=_whole(env, "YICHU_INSTANT_PERSON_DAY_FEN", 0, 0, fen),
            pool_day_fen=_whole(env, "YICHU_INSTANT_POOL_DAY_FEN", 0, 0, fen),
        ),
        run_at=_time(env, "YICHU_PAYOUT_RUN_AT", "16:00"),
        every_seconds=_whole(env, "YICHU_PAYOUT_EVERY_SECONDS", 0, 0, 86_400) if every else None,
        answer_hours=_whole(env, "YICHU_BANK_ANSWER_HOURS", 24, 1, 720),
        account=FundAccount(
            holder=_text(env, "YICHU_FUND_ACCOUNT_HOLDER", usual.holder, 70),
            number=_text(env, "YICHU_FUND_ACCOUNT", usual.number, 34),
            bank_code=_text(env, "YICHU_FUND_BANK_CODE", usual.bank_code, 35),
        ),
        region=env.get("YICHU_REGION", "330800"),
        accounts=_fund_accounts(env.get("YICHU_FUND_ACCOUNTS", "")),
    )


_ACCOUNTS_FORMAT = "yichu-fund-accounts-1"
_REGION = re.compile(r"[0-9]{6}", re.ASCII)
_NUMBER = re.compile(r"[A-Za-z0-9-]{4,34}", re.ASCII)
_CLEARING = re.compile(r"(?:[0-9]{12})?", re.ASCII)


def _fund_accounts(path: str) -> tuple[tuple[str, FundAccount], ...]:
    """The accounts of further regions, from the JSON file that ``YICHU_FUND_ACCOUNTS`` names:
    ``{"format": "yichu-fund-accounts-1", "accounts": [{"region", "holder", "number",
    "bank_code"}]}``. Each region has one account, and no two have the same."""
    if not path:
        return ()
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        found = [
            (row["region"], FundAccount(row["holder"], row["number"], row.get("bank_code", "")))
            for row in document["accounts"]
        ]
        fits = document["format"] == _ACCOUNTS_FORMAT and all(
            _REGION.fullmatch(region)
            and 1 <= len(account.holder.strip()) <= 70
            and account.holder.isprintable()
            and _NUMBER.fullmatch(account.number)
            and _CLEARING.fullmatch(account.bank_code)
            for region, account in found
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad_accounts(path) from error
    regions, numbers = {region for region, _ in found}, {one.number for _, one in found}
    if not fits or not len(found) == len(regions) == len(numbers):
        raise _bad_accounts(path)
    return tuple(found)


def _bad_accounts(path: str) -> SettingsError:
    return SettingsError(
        f"YICHU_FUND_ACCOUNTS 的文件 {path} 读不出来：格式应为 {_ACCOUNTS_FORMAT}，"
        "每个统筹区一个账户，账号不重复",
        f"YICHU_FUND_ACCOUNTS: {path} cannot be used: it must be {_ACCOUNTS_FORMAT} with one "
        "account a region, none twice; see docs/payouts.md",
    )


def _time(env: Mapping[str, str], name: str, default: str) -> dt.time:
    try:
        return dt.datetime.strptime(env.get(name, default), "%H:%M").time()  # noqa: DTZ007
    except ValueError as error:
        raise SettingsError(
            f"{name} 应为 16:00 这样的时间", f"{name} must be a time such as 16:00"
        ) from error


def _text(env: Mapping[str, str], name: str, default: str, longest: int) -> str:
    text = env.get(name, default).strip()
    if len(text) > longest or not text.isprintable():
        raise SettingsError(
            f"{name} 应为最多 {longest} 个字符的一行文字",
            f"{name} must be one line of at most {longest} characters",
        )
    return text


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(
            f"{name} 应为 {low} 到 {high} 的整数",
            f"{name} must be a whole number from {low} to {high}",
        )
    return int(text)
