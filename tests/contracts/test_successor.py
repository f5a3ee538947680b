"""Retirement of a ledger, and a successor that honours what its predecessor holds."""

from __future__ import annotations

import pytest
from web3.contract import Contract

from tests.contracts.bills import (
    ALIAS,
    IS_PAPER,
    MOVED,
    ON_PAPER,
    PINNED,
    ZERO,
    Batch,
    Bill,
    Desk,
    Outcome,
    digest,
)
from tests.contracts.chain import (
    BASIC,
    COMMERCIAL,
    NOBODY,
    RETIREMENT_DELAY,
    Chain,
    expect_revert,
)
from tests.contracts.test_anchor import Anchor
from tests.contracts.test_claims import BILL, refused

OTHER = Bill("other")


@pytest.fixture
def successor(chain: Chain) -> Contract:
    return chain.deploy_successor()


def _moved(desk: Desk, successor: Contract) -> Desk:
    """The desk at the successor, after the retirement."""
    desk.chain.retire(successor)
    return desk.at(successor)


# ----------------------------------------------------------------------------------- announcement


def test_generations_follow_each_other_by_the_clock_alone(
    chain: Chain, successor: Contract
) -> None:
    functions = chain.registry.functions
    assert chain.view(functions.retirementDelay()) == RETIREMENT_DELAY
    assert chain.view(chain.ledger.functions.generation()) == 1
    assert chain.view(chain.ledger.functions.predecessor()) == NOBODY
    assert chain.view(successor.functions.generation()) == 2
    assert chain.view(successor.functions.predecessor()) == chain.ledger.address
    assert chain.view(functions.generationInForce()) == 1
    receipt = chain.send(functions.retireLedger(successor.address), "admin")
    at = chain.tester.get_block_by_number("latest")["timestamp"] + RETIREMENT_DELAY
    (event,) = chain.registry.events.LedgerRetirementAnnounced().process_receipt(receipt)
    assert event["args"] == {"generation": 2, "successor": successor.address, "effectiveAt": at}
    assert chain.view(functions.pendingRetirement()) == [successor.address, at]
    assert chain.view(functions.announcedLedger(2)) == successor.address
    chain.travel(at - 10)
    assert chain.view(functions.generationInForce()) == 1
    chain.travel(at)
    chain.tester.mine_block()
    assert chain.view(functions.generationInForce()) == 2
    assert chain.view(functions.pendingRetirement()) == [NOBODY, 0]


def test_an_announcement_is_irrevocable(chain: Chain, successor: Contract) -> None:
    functions = chain.registry.functions
    other = chain.deploy_successor()
    chain.send(functions.retireLedger(successor.address), "admin")
    at = chain.view(functions.pendingRetirement())[1]
    for address in (other.address, successor.address, NOBODY):
        with expect_revert(chain.registry, "RegistryRetirementPending", successor.address, at):
            chain.view(functions.retireLedger(address), "admin")


def test_only_the_right_successor_is_announced(chain: Chain, successor: Contract) -> None:
    retire = chain.registry.functions.retireLedger
    accounts = chain.accounts
    roles = (accounts[role] for role in ("admin", "registrar", "publisher", "pauser"))
    foreign_registry = chain.deploy("Registry", 0, 0, *roles)
    foreign = chain.deploy("InvoiceLedger", foreign_registry.address, NOBODY)
    third = chain.deploy_successor(successor)
    wrong = (
        NOBODY,
        accounts["stranger"],
        chain.ledger.address,
        foreign.address,
        chain.deploy("InvoiceLedger", foreign_registry.address, foreign.address).address,
        third.address,
    )
    for address in wrong:
        with expect_revert(chain.registry, "RegistrySuccessorInvalid", address):
            chain.view(retire(address), "admin")


def test_the_second_retirement_names_the_ledger_in_force(chain: Chain, successor: Contract) -> None:
    unannounced = chain.deploy_successor()
    chain.retire(successor)
    retire = chain.registry.functions.retireLedger
    wrong = chain.deploy_successor(unannounced)
    with expect_revert(chain.registry, "RegistrySuccessorInvalid", wrong.address):
        chain.view(retire(wrong.address), "admin")
    chain.retire(chain.deploy_successor(successor))
    assert chain.view(chain.registry.functions.generationInForce()) == 3


def test_a_successor_on_another_registry_is_not_deployed(chain: Chain) -> None:
    roles = [chain.accounts[role] for role in ("admin", "registrar", "publisher", "pauser")]
    foreign = chain.deploy("Registry", 0, 0, *roles)
    with pytest.raises(AssertionError):
        chain.deploy("InvoiceLedger", foreign.address, chain.ledger.address)


@pytest.mark.parametrize("caller", ["stranger", "registrar", "pauser", "hospital", "basic"])
def test_only_the_admin_retires_a_ledger(chain: Chain, successor: Contract, caller: str) -> None:
    function = chain.registry.functions.retireLedger(successor.address)
    with expect_revert(
        chain.registry, "AccessControlUnauthorizedAccount", chain.accounts[caller], ZERO
    ):
        chain.view(function, caller)


# -------------------------------------------------------------------------------------- one ledger


def test_a_lodge_in_both_predecessor_and_successor_is_refused_in_one(
    desk: Desk, successor: Contract
) -> None:
    """Before the day the successor refuses, from the day on the predecessor does."""
    batch = desk.anchor(BILL)
    new = desk.at(successor)
    with refused(new, Outcome.RETIRED):
        new.lodge(batch, role="commercial")
    desk.lodge(batch)
    desk.settle(BILL, 1, 4_000)
    new = _moved(desk, successor)
    with refused(new, Outcome.SETTLED_BY_BASIC, holder=(BASIC, 0)):
        new.lodge(batch, counter=2, role="second_basic")
    new.lodge(batch, counter=2, role="commercial")
    with refused(desk, Outcome.RETIRED):
        desk.lodge(batch, counter=2, role="mutual")


def test_a_retired_ledger_refuses_every_change_and_still_answers(
    desk: Desk, successor: Contract
) -> None:
    batch = desk.anchor(BILL, OTHER)
    desk.lodge(batch, 0)
    desk.settle(BILL, 1, 4_000)
    before = desk.state(BILL)
    desk.chain.retire(successor)
    for attempt in (
        lambda: desk.lodge(batch, 0, counter=2, role="commercial"),
        lambda: desk.settle(BILL),
        lambda: desk.release(BILL),
        lambda: desk.renew(BILL, desk.deadline()),
        lambda: desk.expire(BILL),
        lambda: desk.supplement(BILL, 4_000, 1),
        lambda: desk.recover(BILL, 1, "number"),
        lambda: desk.void(batch, 0),
        lambda: desk.reverse(batch, 0),
        lambda: desk.exchange(batch, 0, digest("paper")),
        lambda: desk.give_back(batch, 0, digest("paper")),
        lambda: desk.supersede((batch, 0), (batch, 0)),
        lambda: desk.rule(BILL),
        lambda: desk.rule_for(batch, 0),
    ):
        with refused(desk, Outcome.RETIRED):
            attempt()
    assert desk.state(BILL) == before
    anchor = desk.functions.anchor(2, digest("root"), 1, batch.head)
    ((name, arguments),) = desk.events(desk.chain.send(anchor, "hospital"))
    assert (name, arguments["outcome"]) == ("AnchorUnchanged", Anchor.RETIRED)


def test_open_locks_end_with_the_retirement(desk: Desk, successor: Contract) -> None:
    batch = desk.anchor(BILL, OTHER)
    desk.lodge(batch, 0)
    desk.lodge(batch, 1)
    desk.settle(OTHER, 1, 4_000)
    desk.lodge(batch, 1, counter=2, role="commercial")
    new = _moved(desk, successor)
    assert new.raw(BILL) == 1 << 168 | MOVED << 184
    state = new.state(OTHER)
    assert (state["open"], state["deadline"], state["counter"]) == (0, 0, 2)
    assert (state["paid"], state["settled"], state["flags"]) == (4_000, 1, MOVED)
    with refused(new, Outcome.STALE):
        new.settle(BILL)
    with refused(new, Outcome.STALE, OTHER):
        new.settle(OTHER, 2, role="commercial")
    assert new.release(BILL).outcome == Outcome.REPEATED
    assert new.expire(OTHER, 2).outcome == Outcome.REPEATED
    assert new.lodge(batch, 0, counter=2, role="commercial").payer == COMMERCIAL


def test_what_was_settled_stays_settled(desk: Desk, successor: Contract) -> None:
    batch = desk.anchor(BILL)
    desk.lodge(batch)
    desk.settle(BILL, 1, 4_000)
    new = _moved(desk, successor)
    with refused(new, Outcome.ALREADY_SETTLED, holder=(BASIC, 0)):
        new.settle(BILL)
    with refused(new, Outcome.SETTLED_BY_PAYER, holder=(BASIC, 0)):
        new.lodge(batch, counter=2)
    assert new.supplement(BILL, 4_000, 1_000).paid == 5_000
    new.lodge(batch, counter=2, role="commercial")
    with refused(new, Outcome.OVER_TOTAL):
        new.settle(BILL, 2, 5_001, role="commercial")
    assert new.settle(BILL, 2, 5_000, role="commercial").paid == 10_000
    assert new.state(BILL)["settled"] == 0b101


def test_a_slot_that_was_cleared_here_is_not_read_from_there_again(
    desk: Desk, successor: Contract
) -> None:
    batch = desk.anchor(BILL)
    desk.void(batch)
    new = _moved(desk, successor)
    with refused(new, Outcome.IS_VOID):
        new.lodge(batch)
    new.rule(BILL)
    assert new.raw(BILL) == MOVED << 184
    new.lodge(batch)
    new.release(BILL)
    assert new.raw(BILL) == MOVED << 184 | 1 << 168
    assert new.rule(BILL).outcome == Outcome.REPEATED


def test_batches_and_sequences_go_on(desk: Desk, successor: Contract) -> None:
    first, second = desk.anchor(BILL), desk.anchor(OTHER)
    new = _moved(desk, successor)
    chain, functions = desk.chain, new.functions
    assert chain.view(functions.head(1, 2)) == second.head
    assert chain.view(functions.lastSequence(1)) == 2
    for sequence, previous, root, expected in (
        (1, ZERO, first.root, Anchor.REPEATED),
        (2, first.head, digest("root"), Anchor.CONFLICT),
        (3, ZERO, digest("root"), Anchor.NOT_NEXT),
        (4, second.head, digest("root"), Anchor.NOT_NEXT),
    ):
        anchor = functions.anchor(sequence, root, 1, previous)
        ((_, arguments),) = new.events(chain.send(anchor, "hospital"))
        assert arguments["outcome"] == expected
    third = new.anchor(BILL.corrected())
    assert (third.sequence, third.previous_head) == (3, second.head)
    assert chain.view(functions.lastSequence(1)) == 3
    assert new.supersede((first, 0), (third, 0)).name == "Superseded"


def test_second_numbers_go_on(desk: Desk, successor: Contract) -> None:
    bill, printed = Bill("electronic", second="printed"), Bill("printed")
    batch = desk.anchor(bill, printed)
    desk.lodge(batch, 0)
    desk.settle(bill, 1, 1_000)
    new = _moved(desk, successor)
    state = new.state(printed)
    assert (state["flags"], state["primary"]) == (ALIAS | MOVED, bill.key)
    assert desk.chain.view(new.functions.primaryKey(printed.key)) == bill.key
    with refused(new, Outcome.BOUND_ELSEWHERE, printed, holder=(BASIC, 0)):
        new.lodge(batch, 1, role="commercial")
    with refused(new, Outcome.SETTLED, printed, holder=(BASIC, 0)):
        new.rule(printed)


def test_a_second_number_falls_with_a_lock_that_ended(desk: Desk, successor: Contract) -> None:
    bill, printed = Bill("electronic", second="printed"), Bill("printed")
    batch = desk.anchor(bill, printed)
    desk.lodge(batch, 0)
    new = _moved(desk, successor)
    assert new.lodge(batch, 1, role="commercial").name == "Lodged"
    with refused(new, Outcome.SECOND_KEY_BOUND, bill):
        new.lodge(batch, 0, counter=2)


def test_papers_go_on(desk: Desk, successor: Contract) -> None:
    batch, paper = desk.anchor(BILL), Bill("paper")
    desk.exchange(batch, 0, paper)
    new = _moved(desk, successor)
    assert new.state(BILL)["flags"] == PINNED | ON_PAPER | MOVED
    assert new.state(paper)["flags"] == IS_PAPER | MOVED
    with refused(new, Outcome.IS_ON_PAPER):
        new.lodge(batch)
    assert new.exchange(batch, 0, paper).outcome == Outcome.REPEATED
    new.give_back(batch, 0, paper)
    assert new.give_back(batch, 0, paper).outcome == Outcome.REPEATED
    assert new.lodge(batch).name == "Lodged"


def test_recovery_numbers_go_on(desk: Desk, successor: Contract) -> None:
    desk.lodge(desk.anchor(BILL))
    desk.settle(BILL, 1, 4_000)
    desk.recover(BILL, 700, "number")
    new = _moved(desk, successor)
    assert new.recover(BILL, 700, "number").outcome == Outcome.REPEATED
    with refused(new, Outcome.NUMBER_USED):
        new.recover(BILL, 701, "number")
    assert new.recover(BILL, 700, "another number").name == "Recovered"


def test_quarantines_suspensions_and_policies_go_on(desk: Desk, successor: Contract) -> None:
    batch = desk.anchor(BILL)
    desk.quarantine(batch)
    new = _moved(desk, successor)
    with refused(new, Outcome.QUARANTINED):
        new.lodge(batch)
    desk.quarantine(batch, lifted=True)
    new.lodge(batch)
    assert new.settle(BILL).name == "Settled"


def test_three_generations_are_one_history(desk: Desk, successor: Contract) -> None:
    """Bound and settled in the first, ruled or paid on in the second, read in the third."""
    cleared, printed = Bill("cleared"), Bill("electronic", second="printed")
    batch = desk.anchor(BILL, OTHER, cleared, printed)
    desk.lodge(batch, 0)
    desk.settle(BILL, 1, 4_000)
    desk.void(batch, 2)
    desk.void(batch, 3)
    second = _moved(desk, successor)
    second.rule(cleared)
    second.lodge(batch, 0, counter=2, role="commercial")
    second.settle(BILL, 2, 1_000, role="commercial")
    later = second.anchor(BILL.corrected())
    third_ledger = desk.chain.deploy_successor(successor)
    third = _moved(second, third_ledger)
    assert desk.chain.view(third.functions.generation()) == 3
    assert [desk.chain.view(third.functions.head(1, n)) for n in (1, 2)] == [
        batch.head,
        later.head,
    ]
    state = third.state(BILL)
    assert (state["paid"], state["settled"], state["flags"]) == (5_000, 0b101, MOVED)
    assert third.state(printed.second_key)["primary"] == printed.key
    assert third.lodge(batch, 2).name == "Lodged"
    third.lodge(batch, 0, counter=3, role="mutual")
    with refused(third, Outcome.OVER_TOTAL):
        third.settle(BILL, 3, 5_001, role="mutual")
    assert third.settle(BILL, 3, 5_000, role="mutual").paid == 10_000
    with refused(second, Outcome.RETIRED, OTHER):
        second.lodge(batch, 1)


def test_a_batch_of_the_first_ledger_opens_for_claims_in_the_second(
    desk: Desk, successor: Contract
) -> None:
    batch: Batch = desk.anchor(BILL)
    new = _moved(desk, successor)
    assert new.lodge(batch).reference == batch.reference(0)
    assert new.raw(BILL) & MOVED << 184 == 0
