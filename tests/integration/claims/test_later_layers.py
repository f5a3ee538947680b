"""Medical assistance and the civil-servant supplement from the register to the citizen's page."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
from pathlib import Path

from backend.adapters.policy_packs import load_packs
from backend.domain.claim import ClaimState
from backend.domain.decision_record import parse_decision_record
from backend.domain.policy import AidRule, Band
from backend.domain.register import FactKind
from backend.domain.selector import Selector
from backend.entrypoints.web import create_app
from backend.service_layer.claims.benefits import history_before
from backend.service_layer.claims.submit import submit
from tests.integration.claims.test_pages import BASE, log_in
from tests.integration.claims.world import World, cover_of

AID = AidRule("aid", Selector(hardship=frozenset({"low-income"})), (Band(0, 7_000),), True, 600_000)
EXTRA = AidRule("extra", Selector(ranks=frozenset({"section"})), (Band(0, 9_600),), False, None)


def test_every_layer_is_paid_decided_remembered_and_shown(tmp_path: Path) -> None:
    world = World.make(tmp_path)
    world.services.__dict__["packs"] = tuple(
        dataclasses.replace(pack, layer3=(AID,), supplement=(EXTRA,), open_points=())
        for pack in load_packs()
    )
    person = world.person()
    with world.services.work() as work:
        for kind, code in (
            (FactKind.HARDSHIP, "low-income"),
            (FactKind.CIVIL_SERVANT, "section"),
        ):
            fact = dataclasses.replace(
                cover_of(world.services, person), kind=kind, code=code, detail=""
            )
            work.register.add(fact)
        work.commit()
    invoice_id = world.bill(person, 1_000, dt.date(2026, 11, 3))
    world.anchor()
    result = submit(
        world.services, person.id, [invoice_id], secrets.token_urlsafe(32), has_consent=True
    )
    world.run()

    (claim,) = result.claims
    assert world.claim(claim.id).state in (ClaimState.SETTLED, ClaimState.PAYING, ClaimState.PAID)
    with world.services.work(write=False) as work:
        decision = work.decisions.latest(claim.id)
        history = history_before(work, person.id, 2026, None)
    assert decision is not None
    # (1,000 - 300) x 60 % = 420; 580 x 70 % = 406; 174 x 96 % = 167.04
    eob, _ = parse_decision_record(json.loads(decision.explanation))
    assert (eob.pool_paid_fen, eob.layer3_paid_fen, eob.supplement_paid_fen) == (
        42_000, 40_600, 16_704,
    )  # fmt: skip
    assert decision.paid_fen == 99_304
    (entry,) = history.entries
    assert (entry.layer3_paid_fen, entry.supplement_paid_fen) == (40_600, 16_704)

    client = create_app(world.services).test_client()
    log_in(client, "citizen01")
    page = client.get(f"/m/claims/{claim.id}", base_url=BASE).get_data(as_text=True)
    assert '<dt>医疗救助</dt><dd class="num">406.00</dd>' in page
    assert "您是低保对象，医保和大病保险报过以后，今年您自己负担的目录内费用再救助 70%" in page
    assert '<dt>公务员补助</dt><dd class="num">167.04</dd>' in page
    assert "前面各项报过以后，这次您自己负担的目录内费用再补助 96%" in page
    lines = client.get(f"/m/claims/{claim.id}/lines", base_url=BASE).get_data(as_text=True)
    assert "993.04" in lines
