"""Claims between their locks: refused, withdrawn, void in every place, appealed, renewed."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any
from unittest import mock

from backend.adapters.database.batch_repository import BatchRepository
from backend.domain.ledger import SlotState
from backend.domain.review import CaseKind, Outcome
from backend.domain.ruling import LineRuling
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.appeals import file_appeal
from backend.service_layer.handling.review import approve_pended, refuse_pended
from backend.service_layer.handling.withdraw import withdraw
from backend.service_layer.review.cases import conclude_case
from backend.service_layer.review.records import Conclusion
from tests.integration.claims.revising import WORDS, matched, mixed_bill
from tests.integration.claims.world import OUTSIDE
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

ANOTHER = "测试丁卯"
PLAIN = (
    "withdrawn", "stuck", "early", "lodged", "decided", "settling", "foreign", "unplaced", "known",
)  # fmt: skip
PENDED = ("pended", "declined", "renewed")
APPEALED = ("more", "barred")


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Bills of 900.00, some in another's name or of a kind that is not paid for."""
    made = MoneyStage(folder, url)
    for name in (*PLAIN, *PENDED, "outside", "freed", *APPEALED):
        made.person(name)
    for name in PLAIN:
        made.bill(name, 900)
    for name in PENDED:
        made.bill(name, 900, payer_name=ANOTHER)
    for name in ("outside", "freed"):
        made.bill(name, 900, item=OUTSIDE)
    for name in APPEALED:
        day = dt.date(2026, 11, 3)
        made.bills[name] = mixed_bill(made.world, made.people[name], 900, 100, day)
    made.world.anchor()
    made.person("unbatched")
    made.bill("unbatched", 900)
    made.touch(*APPEALED, "freed")
    made.works()
    return made


def appeal(stage: MoneyStage, name: str) -> None:
    claim = stage.claim(name)
    file_appeal(stage.services, claim.person_id, claim.id, "item", WORDS)


def uphold(stage: MoneyStage, name: str, *rulings: LineRuling, claim: Any = None) -> None:
    """People decide it; that is another part's commit, and quiet here."""
    claim = claim or stage.claim(name)
    with stage.quiet(), stage.services.work() as work:
        case = work.reviews.live_case(claim.id, CaseKind.APPEAL)
        if case is not None:
            words = Conclusion(Outcome.APPROVE, rulings, "复核员乙", "看过材料，同意申请人")
            conclude_case(stage.services, work, case, words)
            work.commit()


def uphold_both(stage: MoneyStage) -> None:
    for name in APPEALED:
        uphold(stage, name, matched(1))


def appeal_first(stage: MoneyStage) -> None:
    """The first claim on the bill is right after all, and another one holds it by now."""
    first = stage.claims_on("freed")[0]
    file_appeal(stage.services, first.person_id, first.id, "item", WORDS)


def touch_again(stage: MoneyStage, name: str) -> None:
    """Another claim holds the bill of a refused one: they were handed in before it was refused."""
    token = hashlib.sha256(f"{name} again".encode()).hexdigest()[:43]
    person = stage.people[name].id
    first = stage.claims_on(name)[0]
    with stage.quiet():
        stage.set_claim(first, "withdrawn")
        submit(stage.services, person, [stage.bills[name]], token, has_consent=True)
        stage.set_claim(first, "refused")


def takes_back(name: str) -> Scene:
    def act(stage: MoneyStage) -> None:
        claim = stage.claim(name)
        withdraw(stage.services, claim.person_id, claim.id, "填错了")

    return Scene(f"{name} takes it back", act)


def settlement_is_foreign(stage: MoneyStage) -> None:
    """More stands on the ledger than we know of: the settlement would go beyond the total."""
    stage.until("settling", "foreign")
    stage.set_slot("foreign", paid_fen=90_000)
    stage.works()


def has_no_place(stage: MoneyStage) -> None:
    """The bill's place in its batch is not found, and then it is."""
    with mock.patch.object(BatchRepository, "position_of", return_value=None):
        stage.until("calculated", "unplaced")
        stage.advance("unplaced")


def is_lodged_already(stage: MoneyStage) -> None:
    """A restored copy knows less of a claim than the ledger: its lock is there."""
    claim = stage.claim("known")
    if claim.state == "lodged":
        stage.set_claim(claim, "calculated")
    if stage.claim("known").state == "calculated":
        stage.advance("known")


SCENES = [
    Scene("everybody touches", lambda s: s.touch(*PLAIN, *PENDED, "outside", "unbatched")),
    Scene("one waits for its batch", lambda s: s.advance("unbatched")),
    Scene("there it is", lambda s: s.anchors()),
    Scene("one is locked", lambda s: s.until("lodged", "withdrawn", "stuck", "lodged", "known")),
    takes_back("withdrawn"),
    takes_back("stuck"),
    Scene("its lock is not given back", lambda s: s.refuse("release", "stuck")),
    Scene("one was lodged already", is_lodged_already),
    Scene("no place", has_no_place),
    Scene("worked out", lambda s: s.until("calculated", "early")),
    Scene("void before its lock", lambda s: s.set_bill("early", "void")),
    Scene("void under its lock", lambda s: s.set_bill("lodged", "void")),
    Scene("decided", lambda s: s.until("decided", "decided")),
    Scene("void when decided", lambda s: s.set_bill("decided", "void")),
    Scene("settling", lambda s: s.until("settling", "settling")),
    Scene("void when settling", lambda s: s.set_slot("settling", flags=SlotState.VOID)),
    Scene("a settlement is refused", settlement_is_foreign),
    Scene("worker", lambda s: s.works()),
    Scene("it was a mistake", lambda s: s.set_slot("foreign", paid_fen=0)),
    Scene("a release is refused too", lambda s: s.refuse("release", "declined")),
    Scene("no", lambda s: refuse_pended(
        s.services, s.claim("declined").number, "复核员甲", "不是本人")),
    Scene("yes", lambda s: approve_pended(
        s.services, s.claim("pended").number, "复核员甲", "是本人")),
    Scene("appeals", lambda s: appeal(s, "more")),
    Scene("another", lambda s: appeal(s, "barred")),
    Scene("both are right", uphold_both),
    Scene("another payer's lock has run out", lambda s: s.set_slot(
        "more", open_payer=2, lodge_counter=2, deadline=1)),
    Scene("reversed", lambda s: s.set_slot("barred", flags=SlotState.REVERSED)),
    Scene("worker again", lambda s: s.works()),
    Scene("a refused one comes again", lambda s: touch_again(s, "freed")),
    Scene("and its first is right", appeal_first),
    Scene("it is upheld", lambda s: uphold(
        s, "freed", matched(0), claim=s.claims_on("freed")[0])),
    takes_back("freed"),
    Scene("worker once more", lambda s: s.works()),
    Scene("four months later", lambda s: s.passes(days=120)),
    Scene("locks are renewed", lambda s: s.works()),
    Scene("the next is refused", lambda s: s.refuse("renew", "renewed")),
    Scene("two months later", lambda s: s.passes(days=120)),
    Scene("it is told", lambda s: s.works()),
]  # fmt: skip
CREDITS = {
    "barred 1111": [36_000],
    "unbatched 1111": [36_000],
    "freed 1111": [36_000],
    "known 1111": [36_000],
    "more 1111": [6_000, 36_000],  # 100.00 more of a bill of 1,000.00 are paid for after all
    "pended 1111": [36_000],
    "unplaced 1111": [36_000],
}
