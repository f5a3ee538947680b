"""What was asked back of a claim already, so that a clearing does not ask for it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from backend.domain.journal import LayerAmounts
from backend.domain.recovery import Recovery
from backend.service_layer.clearing.ports import ClearingWork


def opened(work: ClearingWork, claim_id: str) -> list[Recovery]:
    """The orders of a claim that are, or were, owed."""
    return [
        one for one in work.recoveries.of_claim(claim_id) if one.is_opened and not one.is_dismissed
    ]


def lowered(work: ClearingWork, claim_id: str) -> LayerAmounts:
    """By layer, what two people asked back because the claim comes to less: a revision or a
    clearing before. What they gave up of it stays with the person and is not asked for again; an
    order of supervision is not about what the claim comes to."""
    return total(one for one in opened(work, claim_id) if one.order.cause.needs_two)


def total(orders: Iterable[Recovery]) -> LayerAmounts:
    """The amounts of some orders together, by layer."""
    amounts = [one.order.layers for one in orders]
    return LayerAmounts(
        **{
            one.name: sum(getattr(layers, one.name) for layers in amounts)
            for one in fields(LayerAmounts)
        }
    )
