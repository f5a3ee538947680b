"""The explanation of benefits: each line's amount with a coded reason for every fen not paid.

Balance of every line, and so of the bill: submitted = paid + sum of its adjustments
(product reference A7). An adjustment lowers the payment and is positive, with one exception:
``layer-2-paid`` and its like (GIVING_CODES) are negative, as a later layer gives back part of what
the earlier ones left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from backend.domain.errors import DomainError
from backend.domain.invoice import VisitKind
from backend.domain.person import HistoryEntry
from backend.domain.policy import Fund
from backend.domain.ruling import LineRuling

RECORD_FORMAT: Final = "yichu-eob-1"
ESTIMATE_FORMAT: Final = "yichu-estimate-1"
GIVING_CODES: Final = ("layer-2-paid", "layer-3-paid", "supplement-paid")
"""Codes of the adjustments that give back, in the order in which the layers pay."""


class ExplanationError(DomainError):
    """Amounts that do not balance, or a decision record that is not one."""

    code = "unbalanced-explanation"


class Group(StrEnum):
    """Whose rule an adjustment is."""

    FUND = "FUND"
    PATIENT = "PATIENT"
    NONCOVERED = "NONCOVERED"
    LIMIT = "LIMIT"
    OTHER = "OTHER"


class Outcome(StrEnum):
    """What became of a claim. Cost sharing alone (deductible, ratio) is no partial approval."""

    APPROVED = "approved"
    PARTIAL = "partial"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: code, the policy rule it rests on, and plain words without codes in them."""

    group: Group
    code: str
    rule_id: str
    zh: str
    en: str


class Adjustment(NamedTuple):
    """One coded cut of one line (fen). A named tuple, like the line: a bill has thousands."""

    reason: Reason
    amount_fen: int

    @property
    def group(self) -> Group:
        return self.reason.group

    @property
    def code(self) -> str:
        return self.reason.code

    @property
    def rule_id(self) -> str:
        return self.reason.rule_id

    @property
    def basis_zh(self) -> str:
        return self.reason.zh

    @property
    def basis_en(self) -> str:
        return self.reason.en

    def to_record(self) -> dict[str, Any]:
        return {
            "group": str(self.reason.group),
            "code": self.reason.code,
            "amount_fen": self.amount_fen,
            "rule_id": self.reason.rule_id,
            "basis_zh": self.reason.zh,
            "basis_en": self.reason.en,
        }


class LineExplanation(NamedTuple):
    """One line: its split (national fields of domain reference 2.3) and what is paid, in fen."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a line
    catalogue_code: str
    name: str
    submitted_fen: int
    fulamt_ownpay_fen: int
    overlmt_fen: int
    preselfpay_fen: int
    inscp_fen: int
    pool_fen: int
    layer2_fen: int
    adjustments: tuple[Adjustment, ...]
    layer3_fen: int = 0
    supplement_fen: int = 0
    matched_how: str = ""
    """``alias`` or ``equivalent`` where the line was judged under another code than is printed."""
    matched_code: str = ""

    @property
    def paid_fen(self) -> int:
        """What all layers together pay of the line."""
        return self.pool_fen + self.layer2_fen + self.layer3_fen + self.supplement_fen

    def to_record(self) -> dict[str, Any]:
        """The line in a record; a later layer that pays nothing on it is not written."""
        record: dict[str, Any] = {
            "index": self.index,
            "catalogue_code": self.catalogue_code,
            "name": self.name,
            "submitted_fen": self.submitted_fen,
            "fulamt_ownpay_fen": self.fulamt_ownpay_fen,
            "overlmt_fen": self.overlmt_fen,
            "preselfpay_fen": self.preselfpay_fen,
            "inscp_fen": self.inscp_fen,
            "pool_fen": self.pool_fen,
            "layer2_fen": self.layer2_fen,
            "paid_fen": self.paid_fen,
            "adjustments": [adjustment.to_record() for adjustment in self.adjustments],
        }
        if self.layer3_fen:
            record["layer3_fen"] = self.layer3_fen
        if self.supplement_fen:
            record["supplement_fen"] = self.supplement_fen
        if self.matched_how:
            record["matched_how"] = self.matched_how
            record["matched_code"] = self.matched_code
        return record


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One row of the citizen's table. Signed fen: the rows before ``paid`` add up to it."""

    code: str
    label_zh: str
    label_en: str
    amount_fen: int
    zh: str
    en: str

    def to_record(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "label_zh": self.label_zh,
            "label_en": self.label_en,
            "amount_fen": self.amount_fen,
            "basis_zh": self.zh,
            "basis_en": self.en,
        }


@dataclass(frozen=True, slots=True)
class PendReason:
    """Why a person has to look. ``line_index`` is -1 when it concerns the whole claim."""

    code: str
    line_index: int
    zh: str
    en: str

    @property
    def level(self) -> str:
        return "claim" if self.line_index < 0 else "line"

    def to_record(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "level": self.level,
            "line_index": self.line_index,
            "zh": self.zh,
            "en": self.en,
        }


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What turns an explanation into a decision: the claim it decides and what it is bound to."""

    invoice_fingerprint: bytes
    claim_number: str
    payer_number: int
    lodge_counter: int
    decision_version: int


@dataclass(frozen=True, slots=True)
class ExplanationOfBenefits:
    """The result of one adjudication; amounts in fen, names as in setlinfo (reference 2.2)."""

    policy_id: str
    policy_hash: bytes
    person_digest: bytes
    history_digest: bytes
    service_on: dt.date
    visit_kind: VisitKind
    hospital_code: str
    hospital_level: int
    remote_status: str
    insurance_type: str
    person_type: str
    submitted_fen: int
    borne_fen: int
    fulamt_ownpay_fen: int
    overlmt_fen: int
    preselfpay_fen: int
    inscp_fen: int
    deductible_fen: int
    pool_ratio: str
    pool_paid_fen: int
    layer2_fund: str
    layer2_base_fen: int
    layer2_paid_fen: int
    outcome: Outcome
    lines: tuple[LineExplanation, ...]
    summary: tuple[SummaryRow, ...]
    pend_reasons: tuple[PendReason, ...] = ()
    admitted_on: dt.date | None = None
    discharged_on: dt.date | None = None
    stay_number: str = ""
    layer3_paid_fen: int = 0
    """医疗救助 (maf_pay_fen)."""
    supplement_paid_fen: int = 0
    """公务员补助 (cvlserv_pay_fen)."""
    rulings: tuple[LineRuling, ...] = ()
    waiver_id: str = ""
    """The deductible waiver whose diagnoses the stay had, whether or not it took effect."""

    @property
    def paid_fen(self) -> int:
        """All funds together (fund_pay_sumamt)."""
        return (
            self.pool_paid_fen
            + self.layer2_paid_fen
            + self.layer3_paid_fen
            + self.supplement_paid_fen
        )

    @property
    def person_fen(self) -> int:
        """Borne by the person (psn_part_amt), of which others already bore ``borne_fen``."""
        return self.submitted_fen - self.paid_fen

    @property
    def adjustments(self) -> tuple[Adjustment, ...]:
        """Every adjustment of every line, in line order."""
        return tuple(cut for line in self.lines for cut in line.adjustments)

    def history_entry(self, claim_number: str, state: str = "reserved") -> HistoryEntry:
        """What this decision does to the year's totals."""
        return HistoryEntry(
            claim_number=claim_number,
            service_on=self.service_on,
            visit_kind=self.visit_kind,
            hospital_code=self.hospital_code,
            insurance_type=self.insurance_type,
            in_scope_fen=self.inscp_fen,
            deductible_fen=self.deductible_fen,
            pool_paid_fen=self.pool_paid_fen,
            layer2_base_fen=self.layer2_base_fen,
            layer2_paid_fen=self.layer2_paid_fen,
            state=state,
            admitted_on=self.admitted_on,
            discharged_on=self.discharged_on,
            stay_number=self.stay_number,
            layer3_paid_fen=self.layer3_paid_fen,
            supplement_paid_fen=self.supplement_paid_fen,
            waiver_id=self.waiver_id,
        )

    def body(self) -> dict[str, Any]:
        """The replayable part of a record: strings and integers only, the same for estimate
        and decision."""
        record: dict[str, Any] = {
            "policy_id": self.policy_id,
            "policy_hash": self.policy_hash.hex(),
            "person_snapshot": self.person_digest.hex(),
            "history_snapshot": self.history_digest.hex(),
            "service_on": self.service_on.isoformat(),
            "visit_kind": str(self.visit_kind),
            "hospital_code": self.hospital_code,
            "hospital_level": self.hospital_level,
            "remote_status": self.remote_status,
            "insurance_type": self.insurance_type,
            "person_type": self.person_type,
            "submitted_fen": self.submitted_fen,
            "paid_fen": self.paid_fen,
            "borne_fen": self.borne_fen,
            "pool_prop_selfpay": self.pool_ratio,
            "layer2_base_fen": self.layer2_base_fen,
            **_setlinfo(self),
            "summary": [row.to_record() for row in self.summary],
            "lines": [line.to_record() for line in self.lines],
        }
        if self.admitted_on:
            record["admitted_on"] = self.admitted_on.isoformat()
        if self.discharged_on:
            record["discharged_on"] = self.discharged_on.isoformat()
        if self.stay_number:
            record["stay_number"] = self.stay_number
        if self.waiver_id:
            record["waiver_id"] = self.waiver_id
        if self.rulings:
            record["rulings"] = [ruling.to_record() for ruling in self.rulings]
        return record

    def to_record(self, context: DecisionContext) -> dict[str, Any]:
        """The canonical record whose fingerprint is settled on the ledger (SPEC.md B3)."""
        return {
            "format": RECORD_FORMAT,
            "invoice_fingerprint": context.invoice_fingerprint.hex(),
            "claim_number": context.claim_number,
            "payer_number": context.payer_number,
            "lodge_counter": context.lodge_counter,
            "decision_version": context.decision_version,
            "outcome": str(self.outcome),
            **self.body(),
        }

    def to_estimate(self) -> dict[str, Any]:
        """The output of ``yichu policy adjudicate``: an estimate has no claim, payer or lodge."""
        return {
            "format": ESTIMATE_FORMAT,
            "outcome": str(self.outcome),
            **self.body(),
            "pend_reasons": [reason.to_record() for reason in self.pend_reasons],
        }


def _setlinfo(eob: ExplanationOfBenefits) -> dict[str, int]:
    """Amounts under the national setlinfo names; the accounts of this project pay no cash out
    of a personal account, so account fields are 0 and cash is what the person bears."""
    layer2 = {str(fund): 0 for fund in Fund}
    if eob.layer2_fund:
        layer2[eob.layer2_fund] = eob.layer2_paid_fen
    return {
        "medfee_sumamt_fen": eob.submitted_fen,
        "fulamt_ownpay_amt_fen": eob.fulamt_ownpay_fen,
        "overlmt_selfpay_fen": eob.overlmt_fen,
        "preselfpay_amt_fen": eob.preselfpay_fen,
        "inscp_scp_amt_fen": eob.inscp_fen,
        "act_pay_dedc_fen": eob.deductible_fen,
        "hifp_pay_fen": eob.pool_paid_fen,
        "cvlserv_pay_fen": eob.supplement_paid_fen,
        "hifes_pay_fen": 0,
        "hifmi_pay_fen": layer2[str(Fund.RESIDENT_SERIOUS)],
        "hifob_pay_fen": layer2[str(Fund.EMPLOYEE_LARGE)],
        "maf_pay_fen": eob.layer3_paid_fen,
        "oth_pay_fen": 0,
        "fund_pay_sumamt_fen": eob.paid_fen,
        "acct_pay_fen": 0,
        "psn_cash_pay_fen": eob.person_fen,
        "psn_part_amt_fen": eob.person_fen,
        "hosp_part_amt_fen": 0,
    }


def verify_balance(eob: ExplanationOfBenefits) -> None:
    """Assert identities 1 to 4 of domain reference 2.2 and the balance of every line.

    Raises :class:`ExplanationError`. Identity 5 (a refund is the negated record that names its
    original) concerns records that adjudication never makes: for bills it is asserted where a red
    bill comes in (``service_layer.intake.reversal``).
    """
    info = _setlinfo(eob)
    split = (
        "fulamt_ownpay_amt_fen", "overlmt_selfpay_fen", "preselfpay_amt_fen", "inscp_scp_amt_fen",
    )  # fmt: skip
    funds = (
        "hifp_pay_fen", "cvlserv_pay_fen", "hifes_pay_fen", "hifmi_pay_fen", "hifob_pay_fen",
        "maf_pay_fen", "oth_pay_fen",
    )  # fmt: skip
    total = info["medfee_sumamt_fen"]
    _require(total == sum(info[name] for name in split), "1")
    _require(info["fund_pay_sumamt_fen"] == sum(info[name] for name in funds), "2")
    _require(info["psn_part_amt_fen"] == info["acct_pay_fen"] + info["psn_cash_pay_fen"], "3")
    _require(
        total == info["fund_pay_sumamt_fen"] + info["psn_part_amt_fen"] + info["hosp_part_amt_fen"],
        "4",
    )
    _require(min(info.values()) >= 0, "sign")
    _require(eob.paid_fen <= eob.submitted_fen - eob.borne_fen, "not beyond the total")
    _verify_lines(eob)
    _require(sum(row.amount_fen for row in eob.summary[:-1]) == eob.paid_fen, "summary")
    _require(eob.summary[-1].amount_fen == eob.paid_fen, "summary total")


def _verify_lines(eob: ExplanationOfBenefits) -> None:
    """Every line balances, no layer takes from one, and the lines are the bill, layer by layer."""
    submitted = scope = pool = layer2 = layer3 = supplement = 0
    for line in eob.lines:
        # Unpacked: this loop is made for every line of every adjudication.
        (
            _, _, _, whole, full, over, first, inscp, by_pool, by_2, cuts, by_3, by_supplement,
            _, _,
        ) = line  # fmt: skip
        balance = by_pool + by_2 + by_3 + by_supplement
        for _, amount in cuts:
            balance += amount
        if whole != full + over + first + inscp:
            _require(False, "line split")
        if whole != balance:
            _require(False, "line balance")
        if min(full, over, first, inscp, by_pool, by_2, by_3, by_supplement) < 0:
            _require(False, "line sign")
        submitted += whole
        scope += inscp
        pool += by_pool
        layer2 += by_2
        layer3 += by_3
        supplement += by_supplement
    _require(submitted == eob.submitted_fen, "lines submitted")
    _require(pool == eob.pool_paid_fen and layer2 == eob.layer2_paid_fen, "lines paid")
    _require(layer3 == eob.layer3_paid_fen, "lines paid by layer 3")
    _require(supplement == eob.supplement_paid_fen, "lines paid by the supplement")
    _require(scope == eob.inscp_fen, "lines in scope")


def _require(holds: bool, identity: str) -> None:
    if not holds:
        raise ExplanationError(
            f"报销金额不平（{identity}），已停止计算，请联系经办机构。",
            f"The amounts do not balance ({identity}); nothing was decided.",
        )


def outcome_of(cuts: Iterable[Adjustment], in_scope_fen: int) -> Outcome:
    """Approved, unless part of the bill is not covered; refused when nothing of it is."""
    for reason, amount in cuts:
        if amount and reason.group is Group.NONCOVERED:
            break
    else:
        return Outcome.APPROVED
    return Outcome.PARTIAL if in_scope_fen > 0 else Outcome.REFUSED
