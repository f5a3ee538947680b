"""Two people at once, and a claim audited while a rule is switched, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from backend.adapters.database import tables
from backend.domain.errors import ConflictError
from backend.service_layer.audit_rules.audit_claim import rules_in_force
from backend.service_layer.audit_rules.figures import refresh_figures
from backend.service_layer.audit_rules.outcomes import record_outcome
from backend.service_layer.audit_rules.switch import confirm
from tests.integration.audit_rules.office import RuleOffice, evidence, high_amount, rule
from tests.integration.claims.world import World
from verifier.commitment.canonical import parse_canonical


@pytest.fixture
def office(tmp_path: Path, postgresql_url: str) -> Iterator[RuleOffice]:
    made = RuleOffice(World.make(tmp_path, postgresql_url))
    made.use(high_amount(state="trial"))
    yield made
    made.world.services.engine.dispose()


def at_once(*actions: Callable[[], object]) -> list[object]:
    """The results of actions begun together; an exception is its result."""
    barrier = threading.Barrier(len(actions))
    results: list[object] = [None] * len(actions)

    def run(place: int, action: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[place] = action()
        except ConflictError as error:
            results[place] = error

    threads = [
        threading.Thread(target=run, args=(place, action)) for place, action in enumerate(actions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.slow
def test_two_confirmations_at_once_make_one_version(office: RuleOffice) -> None:
    services = office.world.services
    first, second = office.propose("high", "retired"), office.propose("high", "retired")
    results = at_once(
        *(
            lambda proposal=proposal, name=name: confirm(services, proposal.id, name, "同意")
            for proposal in (first, second)
            for name in ("乙", "丙")
        )
    )
    assert sum(isinstance(one, ConflictError) for one in results) == 3
    with services.engine.begin() as connection:
        versions = connection.execute(
            sa.select(tables.audit_rule_version.c.version).order_by("version")
        ).scalars()
        assert list(versions) == [1, 2]
        assert (
            connection.execute(sa.select(sa.func.count(tables.audit_rule_answer.c.answer))).scalar()
            == 1
        )


@pytest.mark.slow
def test_first_audits_at_once_store_each_rule_once(office: RuleOffice) -> None:
    world = office.world
    person = world.person()
    for yuan in (400, 500):
        world.bill(person, yuan, world.services.clock.now().date())

    def ask() -> bytes:
        with world.services.work() as work:
            found = rules_in_force(world.services, work, world.services.clock.now().date())
            work.commit()
        return found.digest

    digests = at_once(*[ask] * 4)
    assert len(set(map(str, digests))) == 1
    with world.services.engine.begin() as connection:
        assert (
            connection.execute(
                sa.select(sa.func.count()).select_from(tables.audit_rule_version)
            ).scalar()
            == 1
        )


@pytest.mark.slow
def test_a_claim_audited_during_a_switch_names_the_rules_that_it_was_audited_with(
    office: RuleOffice,
) -> None:
    services = office.world.services
    office.claim(400)
    proposal = office.propose("high", "live")
    office.trial("high", proposal)
    person = office.world.people[0]
    bills = [office.world.bill(person, 500 + n, services.clock.now().date()) for n in range(3)]
    office.world.anchor()
    claims: list[str] = []

    def touch_all() -> None:
        claims.extend(office.touch(bill, is_anchored=True).id for bill in bills)

    results = at_once(touch_all, lambda: confirm(services, proposal.id, "乙", "同意"))
    assert not any(isinstance(one, Exception) for one in results)
    assert len(claims) == 3
    for claim_id in claims:
        claim = office.world.claim(claim_id)
        digest = bytes.fromhex(office.audit_stage(claim).inputs["rules"]["rule_set"])
        with services.work(write=False) as work:
            document = work.audit_rules.rule_set_document(digest)
        assert document is not None
        rules = parse_canonical(document.encode())
        state = rules["rules"][0]["state"]  # type: ignore[call-overload,index]
        effects = {"trial": "trial", "live": "pended"}
        assert [hit.effect for hit in office.hits(claim)] == [effects[str(state)]]
        assert bool(office.pends(claim)) is (state == "live")


@pytest.mark.slow
def test_figures_hits_and_counts_are_the_same_on_postgresql(office: RuleOffice) -> None:
    world, services = office.world, office.world.services
    person, day = world.person(), services.clock.now().date()
    for yuan in (90, 100, 110):
        world.bill(person, yuan, day, diagnosis_code="J06.9")
    assert refresh_figures(services) == 1
    assert refresh_figures(services) == 0
    office.use(rule("above", "above-group", parameters={"size_min": 2, "factor_bp": 25_000}))
    claim = office.claim(400, day, diagnosis_code="J06.9")
    (hit,) = office.hits(claim)
    assert evidence(hit)["group"]["median_fen"] == 10_000
    with services.work() as work:
        record_outcome(services, work, claim.id, {("above", None): "upheld"}, "王芳")
        (count,) = work.audit_rules.counts()
        work.commit()
    assert (count.claims, count.pended, count.upheld, count.upheld_bp) == (1, 1, 1, 10_000)
    with (
        pytest.raises(sa.exc.DBAPIError, match="audit_hit is insert-only"),
        services.work() as work,
    ):
        work.connection.execute(sa.delete(tables.audit_hit))
