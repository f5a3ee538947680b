"""Which fund pays a claim and which agency handles it (市县一体), fixed once.

The city's fund pays; the county in which the person is insured handles. Both come from the insured
area that the register has for the day of service. Where none is recorded, the fund of this
installation pays and its own agency handles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.domain.journal import ClaimFund, Fund, JournalError, LayerAmounts
from backend.domain.register import area_on, known_facts
from backend.service_layer.claims.records import Claim, Decision

if TYPE_CHECKING:
    from backend.service_layer.journal.claim_ports import FundServices, FundWork

BY_REGISTER = "register"
BY_SETTINGS = "settings"


def fund_of_claim(deps: FundServices, work: FundWork, claim: Claim) -> Fund:
    """The fund of the claim; the first call fixes it, within the transaction of ``work``.

    Raises :class:`JournalError` for a claim that has no decision yet: its insurance type is that
    of the decision.
    """
    stored = work.journal.claim_fund(claim.id)
    if stored is not None:
        return stored.fund
    decision = work.decisions.latest(claim.id)
    if decision is None:
        raise JournalError(
            "申请还没有审核结论，不能确定由哪个基金支付",
            "the claim has no decision yet, so no fund pays it",
        )
    region = deps.settings.region
    area = area_on(known_facts(work.register.facts_of(claim.person_id)), claim.service_on)
    insurance_type = str(json.loads(decision.explanation)["insurance_type"])
    if area is None:
        name = work.claims.payer_name(claim.payer_number)
        fund, basis = Fund(region, insurance_type, region, name), BY_SETTINGS
    else:
        paying = fund_region(area.code, region)
        fund, basis = Fund(paying, insurance_type, area.code, area.detail), BY_REGISTER
    return work.journal.fix_claim_fund(ClaimFund(claim.id, fund, basis, deps.clock.now())).fund


def fund_region(area_code: str, region: str) -> str:
    """The region whose fund pays for people insured in ``area_code``.

    ``region`` is this installation's; a person insured outside it is another city's, for which no
    money is at the bank here, so such a claim waits instead of being paid by the wrong fund.
    """
    within = region.rstrip("0")
    within += "0" * (len(within) % 2)
    return region if area_code.startswith(within) else f"{area_code[:4]}00"


def layer_amounts(decision: Decision | None) -> LayerAmounts:
    """What a decision pays by layer, read from its explanation; None pays nothing.

    Raises :class:`JournalError` when the layers are not the sum that the decision pays.
    """
    if decision is None:
        return LayerAmounts()
    amounts = layers_of_record(json.loads(decision.explanation))
    if amounts.total_fen != decision.paid_fen:
        raise JournalError(
            "结论中各层金额之和与支付金额不一致",
            "the layers of the decision are not what it pays",
        )
    return amounts


def layers_of_record(record: Mapping[str, Any]) -> LayerAmounts:
    """What an explanation pays by layer; raises KeyError for one that does not say it."""
    return LayerAmounts(
        pool_fen=record["hifp_pay_fen"],
        serious_illness_fen=record["hifmi_pay_fen"] + record["hifob_pay_fen"],
        medical_aid_fen=record["maf_pay_fen"],
        civil_servant_fen=record["cvlserv_pay_fen"],
    )
