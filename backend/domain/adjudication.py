"""Adjudication: a pure function from (pack, bill, person, history, rulings) to an explanation.

The order is that of domain reference 3.1: line split, share paid first for care elsewhere,
deductible, ratio by band, yearly cap, layer 2, medical assistance, civil-servant supplement.
Everything is whole fen and exact fractions; each layer's payment is rounded half up once for the
bill (``layers``), then allotted to the lines by largest remainder, ties to the lower line: the
pool's over the lines' in-scope amounts, each later layer's over what is left of them. No clock, no
I/O, no randomness: the same input gives the same fen. Why so: docs/adr/0009.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from backend.domain.bill import BillError, BillForBenefit
from backend.domain.catalogue import BP
from backend.domain.explanation import (
    Adjustment,
    ExplanationOfBenefits,
    Group,
    LineExplanation,
    PendReason,
    Reason,
    outcome_of,
    verify_balance,
)
from backend.domain.invoice import VisitKind
from backend.domain.layers import Layers, compute_layers
from backend.domain.line_split import LineSplit, format_percent, split_lines
from backend.domain.money import allot, round_half_up
from backend.domain.open_points import OPEN_POINT, reason_for_a_person
from backend.domain.person import History, HistoryEntry, PersonSnapshot
from backend.domain.policy import PolicyError, PolicyPack, RemoteModel, RemoteRule
from backend.domain.ruling import LineRuling, in_order
from backend.domain.selector import NO_STATUS, Case
from backend.domain.summary import build_summary

BILLS_MAX: Final = 200
"""Bills in one submission."""


def adjudicate(
    pack: PolicyPack,
    bill: BillForBenefit,
    person: PersonSnapshot,
    history: History,
    rulings: Sequence[LineRuling] = (),
) -> ExplanationOfBenefits:
    """Work out what the funds pay of a bill, with a reason for every fen that they do not.

    ``rulings`` are what a reviewer decided about single lines. Raises :class:`PolicyError` when
    the pack is not in force on the bill's day or has no rule for the case, :class:`MoneyError`
    when the lines are not the total, :class:`RulingError` when the rulings do not fit the bill.
    """
    if not pack.is_effective_on(bill.visit_date):
        raise PolicyError(
            f"政策包 {pack.pack_id} 在就诊当日不生效。",
            f"Policy pack {pack.pack_id} is not in force on the day of the bill.",
        )
    rulings = in_order(rulings, len(bill.lines)) if rulings else ()
    case, pends = _case_of(pack, bill, person)
    if bill.visit_kind != case.visit_kind:
        bill = dataclasses.replace(bill, visit_kind=VisitKind(case.visit_kind))
    rules = pack.rules_for(case)
    remote = pack.remote_rule(bill.remote_status)
    year = history.of_year(bill.visit_date.year, person.insurance_type)
    splits, line_pends = split_lines(pack, bill, person, rulings)
    remote_shares = _remote_shares(pack.remote_model, remote, splits)
    scopes = [split.inscp_fen - share for split, share in zip(splits, remote_shares, strict=True)]
    factor = remote.value_bp if pack.remote_model is RemoteModel.FACTOR else BP
    layers = compute_layers(
        rules, case, bill, year, in_scope=sum(scopes), factor_bp=factor, remote=remote
    )
    lines = _explain_lines(splits, scopes, remote_shares, remote, layers)
    pends += _open_pends(pack, bill, case, year, layers.in_scope)
    eob = _assemble(
        pack, bill, person, history, layers=layers, lines=lines, pends=[*pends, *line_pends],
        rulings=rulings,
    )  # fmt: skip
    verify_balance(eob)
    return eob


_CHRONIC_WITHOUT_RULES: Final = PendReason(
    "chronic-without-rules",
    -1,
    "您有门诊慢特病待遇，政策里还没有慢特病的规则，先按普通门诊计算，由工作人员核对",
    "You have a chronic-disease entitlement; the policy has no rules for it yet, so this is worked "
    "out as an ordinary outpatient visit, and a person will look",
)
_CHRONIC_NOT_ENTITLED: Final = PendReason(
    "chronic-not-entitled",
    -1,
    "就诊当日没有查到门诊慢特病待遇，先按普通门诊计算，由工作人员核对",
    "No chronic-disease entitlement was found for that day; worked out as an ordinary outpatient "
    "visit, and a person will look",
)


def _case_of(
    pack: PolicyPack, bill: BillForBenefit, person: PersonSnapshot
) -> tuple[Case, list[PendReason]]:
    """Whom and what the rules are looked up for, by the person's statuses on the bill's day.

    An outpatient visit is one for a chronic disease when the bill does not say otherwise, the
    person's entitlement covers its day and the pack has rules written for that; else it is an
    ordinary one, and a person looks where bill, entitlement and pack do not agree.
    """
    day = bill.visit_date
    case = Case(
        person.insurance_type,
        str(bill.visit_kind),
        person.person_type,
        bill.hospital_level,
        (person.hardship_on(day) or NO_STATUS) if person.hardship else NO_STATUS,
        (person.civil_servant_on(day) or NO_STATUS) if person.civil_servant else NO_STATUS,
    )
    if bill.visit_kind is VisitKind.INPATIENT:
        return case, []
    ordinary = case._replace(visit_kind=str(VisitKind.OUTPATIENT))
    says_chronic = bill.says_chronic
    if not (person.chronic and person.chronic_on(day)):
        return ordinary, [_CHRONIC_NOT_ENTITLED] if says_chronic else []
    if says_chronic is False:
        return ordinary, []
    chronic = case._replace(visit_kind=str(VisitKind.OUTPATIENT_CHRONIC))
    if pack.names_visit_kind(chronic):
        return chronic, []
    return ordinary, [_CHRONIC_WITHOUT_RULES]


def _open_pends(
    pack: PolicyPack,
    bill: BillForBenefit,
    case: Case,
    year: Sequence[HistoryEntry],
    in_scope: int,
) -> list[PendReason]:
    """One reason to pend where the bill needs a figure that the pack's sources leave open; a bill
    with nothing in scope needs none."""
    if not pack.open_points or in_scope <= 0:
        return []
    before = sum(entry.in_scope_fen for entry in year)
    texts = reason_for_a_person(pack.open_points, case, bill.remote_status, before + in_scope)
    return [] if texts is None else [PendReason(OPEN_POINT, -1, *texts)]


def _assemble(
    pack: PolicyPack,
    bill: BillForBenefit,
    person: PersonSnapshot,
    history: History,
    *,
    layers: Layers,
    lines: tuple[LineExplanation, ...],
    pends: Sequence[PendReason],
    rulings: Sequence[LineRuling],
) -> ExplanationOfBenefits:
    cuts = [cut for line in lines for cut in line.adjustments]
    return ExplanationOfBenefits(
        policy_id=pack.pack_id,
        policy_hash=pack.policy_hash,
        person_digest=person.digest(),
        history_digest=history.digest(),
        service_on=bill.visit_date,
        visit_kind=bill.visit_kind,
        hospital_code=bill.hospital_code,
        hospital_level=bill.hospital_level,
        remote_status=bill.remote_status,
        insurance_type=person.insurance_type,
        person_type=person.person_type,
        submitted_fen=bill.total_fen,
        borne_fen=bill.borne_fen,
        fulamt_ownpay_fen=sum(line.fulamt_ownpay_fen for line in lines),
        overlmt_fen=sum(line.overlmt_fen for line in lines),
        preselfpay_fen=sum(line.preselfpay_fen for line in lines),
        inscp_fen=layers.in_scope,
        deductible_fen=layers.deductible.amount_fen,
        pool_ratio=layers.ratio_text,
        pool_paid_fen=layers.pool,
        layer2_fund=layers.layer2_fund,
        layer2_base_fen=layers.layer2_base,
        layer2_paid_fen=layers.layer2,
        outcome=outcome_of(cuts, layers.in_scope),
        lines=lines,
        summary=build_summary(bill.total_fen, layers.paid, cuts),
        pend_reasons=tuple(pends),
        admitted_on=bill.admitted_on,
        discharged_on=bill.discharged_on,
        stay_number=bill.stay_number,
        layer3_paid_fen=layers.layer3,
        supplement_paid_fen=layers.supplement,
        rulings=tuple(rulings),
        waiver_id=layers.deductible.waiver_id,
    )


def estimate_submission(
    pack: PolicyPack,
    bills: Iterable[BillForBenefit],
    person: PersonSnapshot,
    history: History,
) -> dict[bytes, ExplanationOfBenefits]:
    """Each bill of one submission by invoice key, worked out in (visit date, invoice key) order.

    They share a yearly deductible and caps, so each sees the ones before it as reservations;
    the fixed order makes the order of ticking irrelevant. Raises :class:`BillError` when one
    invoice key comes twice or there are more than BILLS_MAX bills.
    """
    ordered = sorted(bills, key=lambda bill: (bill.visit_date, bill.invoice_key))
    if len(ordered) > BILLS_MAX or len({bill.invoice_key for bill in ordered}) != len(ordered):
        raise BillError(
            f"一次最多提交 {BILLS_MAX} 张票据，同一张票据只能选一次。",
            f"A submission holds at most {BILLS_MAX} bills, each of them once.",
        )
    results: dict[bytes, ExplanationOfBenefits] = {}
    for bill in ordered:
        eob = adjudicate(pack, bill, person, history)
        results[bill.invoice_key] = eob
        history = history.with_entries([eob.history_entry(bill.invoice_key.hex())])
    return results


def _remote_shares(
    model: RemoteModel, remote: RemoteRule, splits: Sequence[LineSplit]
) -> list[int]:
    """The share paid first for care elsewhere: once for the bill, then allotted to lines."""
    scopes = [split.inscp_fen for split in splits]
    if model is RemoteModel.FACTOR or remote.value_bp == 0:
        return [0] * len(scopes)
    return allot(round_half_up(sum(scopes) * remote.value_bp, BP), scopes)


_BORNE: Final = Reason(
    Group.OTHER,
    "borne-by-others",
    "not-beyond-total",
    "其他方已经支付了一部分，各方合计不超过票据总额",
    "Others already bore part of this bill; all together never exceed its total",
)


def _explain_lines(
    splits: Sequence[LineSplit],
    scopes: Sequence[int],
    remote_shares: Sequence[int],
    remote: RemoteRule,
    layers: Layers,
) -> tuple[LineExplanation, ...]:
    pool = allot(layers.pool, scopes)
    own = _less(scopes, pool, layers.pool)
    layer2 = allot(layers.layer2, own)
    rest = _less(own, layer2, layers.layer2)
    layer3 = allot(layers.layer3, rest)
    rest = _less(rest, layer3, layers.layer3)
    supplement = allot(layers.supplement, rest)
    # The person's in-scope part is made of four pieces, each allotted over what is then left,
    # so that no line gets a negative piece and every line balances.
    deductible = allot(layers.deductible.amount_fen, own)
    left = _less(own, deductible, layers.deductible.amount_fen)
    cap = allot(layers.cut, left)
    left = _less(left, cap, layers.cut)
    borne = allot(layers.borne_cut, left)
    ratio = _less(left, borne, layers.borne_cut)
    given = [
        (reason, [-share for share in shares])
        for reason, shares, total in (
            (layers.layer2_reason, layer2, layers.layer2),
            (layers.layer3_reason, layer3, layers.layer3),
            (layers.supplement_reason, supplement, layers.supplement),
        )
        if total and reason is not None
    ]
    taken = (
        (_remote_reason(remote), remote_shares, sum(remote_shares)),
        (layers.deductible.reason, deductible, layers.deductible.amount_fen),
        (layers.ratio_reason, ratio, 1),
        (layers.cut_reason, cap, layers.cut),
    )
    # Only what cuts this bill at all is looked at for each of its lines.
    columns = [
        *((reason, shares) for reason, shares, total in taken if total and reason is not None),
        *given,
        *([(_BORNE, borne)] if layers.borne_cut else []),
    ]
    lines = []
    for i, split in enumerate(splits):
        line, submitted, full, over, first, _, full_reason, limit_reason, first_reason, hit = split
        cuts = []
        if full and full_reason is not None:
            cuts.append(Adjustment(full_reason, full))
        if over and limit_reason is not None:
            cuts.append(Adjustment(limit_reason, over))
        if first and first_reason is not None:
            cuts.append(Adjustment(first_reason, first))
        for reason, shares in columns:
            if shares[i]:
                cuts.append(Adjustment(reason, shares[i]))
        lines.append(
            LineExplanation(
                line.index,
                line.catalogue_code,
                line.name,
                submitted,
                full,
                over,
                first + remote_shares[i],
                scopes[i],
                pool[i],
                layer2[i],
                tuple(cuts),
                layer3[i],
                supplement[i],
                "" if hit is None else hit.how,
                "" if hit is None else hit.code,
            )
        )
    return tuple(lines)


def _less(amounts: Sequence[int], shares: Sequence[int], total: int) -> Sequence[int]:
    """What is left of each amount; as it was where the shares are all 0."""
    if total == 0:
        return amounts
    return [amount - share for amount, share in zip(amounts, shares, strict=True)]


def _remote_reason(remote: RemoteRule) -> Reason:
    percent = format_percent(remote.value_bp)
    return Reason(
        Group.PATIENT,
        "remote-share",
        remote.rule_id,
        f"异地就医先自付 {percent}（{remote.zh}）",
        f"Care elsewhere: the first {percent} is yours ({remote.en})",
    )
