"""An insurer's own claims with how they stand, and the bills that are open to it, page by page."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.ledger import IntentKind
from backend.service_layer.second_payers.opening import claim_view, claim_views, live_consents
from backend.service_layer.second_payers.ports import NotOpenedError
from tests.unit.second_payers.insurer import CLAIM, CONSENT, NOW, PAYER, SOON, Desk, call


class Shelf(Desk):
    """Claims and consents of many bills, in the order of their ids."""

    def __init__(self, *calls: Any) -> None:
        super().__init__(*calls)
        self.asked_for: list[tuple[Any, ...]] = []

    @property
    def deps(self) -> Any:
        deps = super().deps

        def work(*, write: bool) -> Any:
            assert write is False, "a view only reads"
            return self

        deps.work = work
        return deps

    def __enter__(self) -> Any:
        work = super().__enter__()

        def page(kept: Any, *asked: Any) -> list[Any]:
            self.asked_for.append(asked)
            *_, after, limit = asked
            return [one for one in kept if one.id > after][:limit]

        work.second_payers.live_consents = lambda *asked: page(self.consents, *asked)
        work.second_payers.claims_of = lambda *asked: page(self.claims.values(), *asked)
        work.second_payers.claims_on = lambda payer, invoice: [
            one
            for one in self.claims.values()
            if (one.payer_number, one.invoice_id) == (payer, invoice)
        ]
        return work


def test_a_claim_is_told_with_its_standing_and_the_state_of_its_bill() -> None:
    shelf = Shelf()
    shelf.bill = SimpleNamespace(state="void")
    found = claim_view(shelf.deps, PAYER, "pcl_1")
    assert (found.claim, found.bill_state, found.holders) == (CLAIM, "void", {})
    assert (found.standing.phase, found.standing.deadline) == (
        "lodged", dt.datetime.fromtimestamp(SOON, dt.UTC),
    )  # fmt: skip


def test_who_holds_the_bill_is_named_once_and_in_order() -> None:
    lodge = replace(call(outcome="locked"), outcome_detail={"holder_payer": 7})
    again = replace(call(IntentKind.SETTLE, "locked"), outcome_detail={"holder_payer": 3})
    third = replace(call(IntentKind.RELEASE, "locked"), outcome_detail={"holder_payer": 7})
    none = replace(call(IntentKind.RENEW, "done"), outcome_detail={"other": 1})
    found = claim_view(Shelf(lodge, again, third, none).deps, PAYER, "pcl_1")
    assert list(found.holders.items()) == [(3, "payer 3"), (7, "payer 7")]


@pytest.mark.parametrize("name", ["pcl_1", "pcl_9"])
def test_another_insurers_claim_is_as_one_that_is_not_there(name: str) -> None:
    shelf = Shelf()
    with pytest.raises(NotOpenedError):
        claim_view(shelf.deps, replace(PAYER, number=8), name)
    assert claim_view(shelf.deps, PAYER, "pcl_1").claim is CLAIM


def test_claims_come_page_by_page_and_say_whether_more_follow() -> None:
    shelf = Shelf()
    shelf.claims = {f"pcl_{n}": replace(CLAIM, id=f"pcl_{n}") for n in (1, 2, 3)}
    shelf.calls = [replace(call(), subject_id=f"pcl_{n}") for n in (1, 2, 3)]
    first, more = claim_views(shelf.deps, PAYER, "", 2)
    assert ([one.claim.id for one in first], more) == (["pcl_1", "pcl_2"], True)
    last, more = claim_views(shelf.deps, PAYER, "pcl_2", 1)
    assert ([one.claim.id for one in last], more) == (["pcl_3"], False)
    assert shelf.asked_for == [(9, "", 3), (9, "pcl_2", 2)]


def test_open_bills_come_page_by_page_with_the_newest_claim_on_each() -> None:
    shelf = Shelf()
    shelf.consents = [replace(CONSENT, id=f"cns_{n}", invoice_id=f"inv_{n}") for n in (1, 2, 3)]
    newer = replace(CLAIM, id="pcl_2", attempt=2)
    shelf.claims = {"pcl_1": CLAIM, "pcl_2": newer}
    first, more = live_consents(shelf.deps, PAYER, "", 2)
    assert ([(one.id, claim) for one, claim in first], more) == (
        [("cns_1", newer), ("cns_2", None)], True,
    )  # fmt: skip
    last, more = live_consents(shelf.deps, PAYER, "cns_2", 2)
    assert ([one.id for one, _ in last], more) == (["cns_3"], False)
    assert shelf.asked_for == [(9, NOW, "", 3), (9, NOW, "cns_2", 3)]
