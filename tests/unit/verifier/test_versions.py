"""Bundles of claims with several decision versions: what holds, and what each check refutes.

Every case is judged twice: by the verifier, and by ``tests.reference.versions``, which was written
from SPEC.md alone. Both must end alike on checks 19 to 22.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import commitment as ref
from tests.reference import evidence
from tests.reference.evidence import DECISION_SECRET, PAYER, Story
from tests.reference.simulated_node import SimulatedNode, word
from tests.reference.versions import judge
from verifier.bundle import parse_bundle
from verifier.errors import MalformedError, RefutedError
from verifier.report import render_text
from verifier.trust import parse_trust
from verifier.verifier import Report, Status, Verdict, verify_bundle

Bundle = dict[str, Any]
Attack = Callable[[Bundle], None]
Lie = Callable[[SimulatedNode], None]

FULL = Story(was_refused=True, supplements=(30, 20), recovered=(10, 7))
PLAIN = Story()
REFUSED = Story(closing="release")
REFUSED_TWICE = Story(closing="release", was_refused=True)
OTHER_PAYER = 9


def verify(
    bundle: Bundle,
    story: Story = FULL,
    node: SimulatedNode | None = None,
    trust: dict[str, Any] | None = None,
) -> Report:
    """The verifier's report, after the second implementation was asked the same."""
    trust = trust or story.trust()
    report = verify_bundle(
        parse_bundle(evidence.text(bundle)),
        parse_trust(evidence.text(trust)),
        node or story.node(),
    )
    again = judge(bundle, trust, node or story.node())
    assert {n: str(report.results[n - 1].status) for n in (19, 20, 21, 22)} == again
    return report


def ended(report: Report, status: Status) -> list[int]:
    return [result.check.number for result in report.results if result.status is status]


def reason(report: Report, number: int) -> str:
    return report.results[number - 1].reason


# what holds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "format_name", "newest"),
    [
        (PLAIN, "yichu-evidence-1", ""),
        (REFUSED, "yichu-evidence-1", ""),
        (FULL, "yichu-evidence-2", "4 decision versions; the newest is version 4"),
        (REFUSED_TWICE, "yichu-evidence-2", "2 decision versions; the newest is version 2"),
        (Story(supplements=(100,)), "yichu-evidence-2", "the newest is version 2"),
        (Story(recovered=(200,)), "yichu-evidence-2", ""),
    ],
)
def test_bundle_with_every_version_is_verified(story: Story, format_name: str, newest: str) -> None:
    bundle = story.bundle()
    assert bundle["format"] == format_name
    report = verify(bundle, story)
    assert report.verdict is Verdict.VERIFIED
    assert newest in render_text(report)
    assert ("decision versions" in render_text(report)) is bool(newest) or not newest


def test_without_a_node_only_the_decisions_are_checked() -> None:
    report = verify_bundle(
        parse_bundle(evidence.text(FULL.bundle())), parse_trust(evidence.text(FULL.trust()))
    )
    assert report.verdict is Verdict.UNDECIDED
    assert report.results[18].status is Status.OK
    assert ended(report, Status.UNDECIDED) == [12, 13, 14, 15, 16, 17, 18, 20, 21, 22]


# tampered bundles ----------------------------------------------------------------------------


def leaf(entry: Bundle, path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in entry["decision"]["leaves"] if one["path"] == path)
    return found


def commit(entry: Bundle, change: Callable[[dict[str, Any]], None]) -> None:
    """Make another decision and commit to it, as whoever holds every secret could."""
    record: dict[str, Any] = {}
    for one in entry["decision"]["leaves"][1:]:
        name, _, index = one["path"][1:].partition("/")
        if one["kind"] == 2:
            record[name] = []
        elif index:
            record[name].append(copy.deepcopy(one["value"]))
        else:
            record[name] = one["value"]
    change(record)
    entry["decision"]["leaves"] = evidence.open_leaves(record, DECISION_SECRET)
    entry["decision"]["fingerprint"] = ref.fingerprint(record, DECISION_SECRET).hex()


def later_amount(bundle: Bundle) -> None:
    bundle["later"][0]["amount_fen"] += 1


def amounts_moved_between_supplements(bundle: Bundle) -> None:
    bundle["later"][0]["amount_fen"] += 1
    bundle["later"][1]["amount_fen"] -= 1


def supplement_of_nothing(bundle: Bundle) -> None:
    bundle["later"][1]["amount_fen"] = 0


def later_decision_pays_more(bundle: Bundle) -> None:
    leaf(bundle["later"][1], "/paid_fen")["value"] += 1


def later_line_pays_more(bundle: Bundle) -> None:
    leaf(bundle["later"][0], "/lines/2")["value"]["paid_fen"] += 1


def later_leaf_hidden(bundle: Bundle) -> None:
    evidence.hide(bundle["later"][0]["decision"]["leaves"], "/claim_number")


def later_line_removed(bundle: Bundle) -> None:
    bundle["later"][0]["decision"]["leaves"].pop()


def later_fingerprint(bundle: Bundle) -> None:
    bundle["later"][1]["decision"]["fingerprint"] = "11" * 32


def later_version(bundle: Bundle) -> None:
    bundle["later"][1]["decision_version"] = 5


def version_twice(bundle: Bundle) -> None:
    bundle["later"][1] = copy.deepcopy(bundle["later"][0])


def supplements_swapped(bundle: Bundle) -> None:
    bundle["later"].reverse()


def middle_supplement_left_out(bundle: Bundle) -> None:
    del bundle["later"][0]


def middle_supplement_left_out_and_added_to_the_last(bundle: Bundle) -> None:
    del bundle["later"][0]
    bundle["later"][0]["amount_fen"] = 50


def later_policy_hash(bundle: Bundle) -> None:
    bundle["later"][0]["policy"]["hash"] = "11" * 32


def later_policy_text(bundle: Bundle) -> None:
    policy = bundle["later"][0]["policy"]
    policy["text"] = policy["text"].replace("75", "85")


def later_of_another_bill(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.update(invoice_fingerprint="11" * 32))


def later_of_another_payer(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.update(payer_number=OTHER_PAYER))


def later_of_another_lodge(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.update(lodge_counter=3))


def later_is_a_refusal(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.update(outcome="refused"))


def later_of_another_claim(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.update(claim_number="C-2"))


def later_without_claim_number(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record.pop("claim_number"))


def later_line_out_of_balance(bundle: Bundle) -> None:
    def change(record: dict[str, Any]) -> None:
        record["lines"][0]["adjustments"][0]["amount_fen"] += 1

    commit(bundle["later"][0], change)


def later_line_dropped(bundle: Bundle) -> None:
    commit(bundle["later"][0], lambda record: record["lines"].pop())


def earlier_version(bundle: Bundle) -> None:
    bundle["earlier"][0]["decision_version"] = 2


def earlier_counter(bundle: Bundle) -> None:
    bundle["earlier"][0]["counter"] = 2


def earlier_pays(bundle: Bundle) -> None:
    commit(bundle["earlier"][0], lambda record: record.update(paid_fen=1))


def earlier_approved(bundle: Bundle) -> None:
    commit(bundle["earlier"][0], lambda record: record.update(outcome="approved"))


def earlier_decision(bundle: Bundle) -> None:
    leaf(bundle["earlier"][0], "/claim_number")["value"] = "C-2"


def recovery_twice(bundle: Bundle) -> None:
    bundle["recoveries"][1] = copy.deepcopy(bundle["recoveries"][0])


def recovery_of_nothing(bundle: Bundle) -> None:
    bundle["recoveries"][0]["amount_fen"] = 0


def recovered_more_than_paid(bundle: Bundle) -> None:
    bundle["recoveries"][0]["amount_fen"] = 250


def later_event_of_another(bundle: Bundle) -> None:
    first, second = bundle["later"]
    first["supplement"], second["supplement"] = second["supplement"], first["supplement"]


def later_event_is_the_settlement(bundle: Bundle) -> None:
    closing = bundle["claim"]["closing"]
    names = ("tx_hash", "block_number", "block_hash")
    bundle["later"][0]["supplement"] = {name: closing[name] for name in names}


def later_event_unknown(bundle: Bundle) -> None:
    bundle["later"][0]["supplement"]["tx_hash"] = "11" * 32


def later_event_block(bundle: Bundle) -> None:
    bundle["later"][0]["supplement"]["block_number"] += 1


def later_event_block_hash(bundle: Bundle) -> None:
    bundle["later"][0]["supplement"]["block_hash"] = "11" * 32


def earlier_lodge_is_the_later_one(bundle: Bundle) -> None:
    bundle["earlier"][0]["lodge"] = dict(bundle["claim"]["lodge"])


def earlier_release_is_its_lodge(bundle: Bundle) -> None:
    bundle["earlier"][0]["release"] = dict(bundle["earlier"][0]["lodge"])


def decision_made_up(bundle: Bundle) -> None:
    commit(bundle["later"][1], lambda record: record.update(note="made afterwards"))


def refusal_made_up(bundle: Bundle) -> None:
    commit(bundle["earlier"][0], lambda record: record.update(note="made afterwards"))


def last_supplement_left_out(bundle: Bundle) -> None:
    del bundle["later"][1]


def every_supplement_left_out(bundle: Bundle) -> None:
    del bundle["later"]


def stale_format_1(bundle: Bundle) -> None:
    """What was exported before the supplements: true then, and not the newest any more."""
    for name in ("earlier", "later", "recoveries"):
        del bundle[name]
    bundle["format"] = "yichu-evidence-1"


def recovery_amount(bundle: Bundle) -> None:
    bundle["recoveries"][0]["amount_fen"] += 1


def recovery_number(bundle: Bundle) -> None:
    bundle["recoveries"][0]["number"] = "11" * 32


def recovery_event(bundle: Bundle) -> None:
    bundle["recoveries"][0]["event"] = dict(bundle["recoveries"][1]["event"])


def recovery_is_a_supplement(bundle: Bundle) -> None:
    bundle["recoveries"][0]["event"] = dict(bundle["later"][0]["supplement"])


ATTACKS: dict[int, tuple[Attack, ...]] = {
    19: (
        later_amount, amounts_moved_between_supplements, supplement_of_nothing,
        later_decision_pays_more, later_line_pays_more, later_leaf_hidden, later_line_removed,
        later_fingerprint, later_version, version_twice, supplements_swapped,
        middle_supplement_left_out, later_policy_hash, later_policy_text, later_of_another_bill,
        later_of_another_payer, later_of_another_lodge, later_is_a_refusal, later_of_another_claim,
        later_without_claim_number, later_line_out_of_balance, later_line_dropped, earlier_version,
        earlier_counter, earlier_pays, earlier_approved, earlier_decision, recovery_twice,
        recovery_of_nothing, recovered_more_than_paid,
    ),
    20: (
        middle_supplement_left_out_and_added_to_the_last, later_event_of_another,
        later_event_is_the_settlement, later_event_unknown, later_event_block,
        later_event_block_hash, earlier_lodge_is_the_later_one, earlier_release_is_its_lodge,
        decision_made_up, refusal_made_up,
    ),
    21: (last_supplement_left_out, every_supplement_left_out, stale_format_1),
    22: (recovery_amount, recovery_number, recovery_event, recovery_is_a_supplement),
}  # fmt: skip

CASES = [(check, attack) for check, attacks in ATTACKS.items() for attack in attacks]


@pytest.mark.parametrize(
    ("check", "attack"), CASES, ids=[f"{check}-{attack.__name__}" for check, attack in CASES]
)
def test_tampered_versions_are_refuted_by_the_named_check(check: int, attack: Attack) -> None:
    bundle = FULL.bundle()
    attack(bundle)
    report = verify(bundle)
    assert report.verdict is Verdict.REFUTED
    assert ended(report, Status.FAIL)[0] == check
    with pytest.raises(RefutedError, match=f"check {check}: "):
        report.raise_for_verdict()


def test_supplement_on_a_refusal_is_refuted() -> None:
    bundle = REFUSED_TWICE.bundle()
    bundle["later"] = FULL.bundle()["later"]
    report = verify(bundle, REFUSED_TWICE)
    assert ended(report, Status.FAIL)[0] == 19
    assert "not settled" in reason(report, 19)


def same_version_again(bundle: Bundle) -> None:
    bundle["later"][1]["decision_version"] = 3
    commit(bundle["later"][1], lambda record: record.update(decision_version=3))


def refusal_under_the_same_lodge(bundle: Bundle) -> None:
    bundle["earlier"][0]["counter"] = evidence.COUNTER
    commit(bundle["earlier"][0], lambda record: record.update(lodge_counter=evidence.COUNTER))


def version_that_pays_nothing_more(bundle: Bundle) -> None:
    first, second = bundle["later"]
    second.update(amount_fen=0, decision=copy.deepcopy(first["decision"]))
    commit(second, lambda record: record.update(decision_version=4))


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (same_version_again, "decision versions do not rise"),
        (refusal_under_the_same_lodge, "lodge counters of the versions do not rise"),
        (version_that_pays_nothing_more, "a supplement of nothing"),
    ],
)
def test_decisions_that_are_whole_and_out_of_order_are_refuted(attack: Attack, why: str) -> None:
    """Everything that is committed agrees with itself: only the order of the versions is wrong."""
    bundle = FULL.bundle()
    attack(bundle)
    report = verify(bundle)
    assert ended(report, Status.FAIL)[0] == 19
    assert why in reason(report, 19)


def test_the_failing_version_is_named() -> None:
    bundle = FULL.bundle()
    later_line_out_of_balance(bundle)
    assert reason(verify(bundle), 19).startswith("version 3: line 0 of the decision")


# what is no bundle ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(format="yichu-evidence-1"), "bundle has an unknown member"),
        (lambda b: b.update(format="yichu-evidence-3"), "bundle.*is not one of|unknown member"),
        (lambda b: [b.pop(n) for n in ("earlier", "later", "recoveries")], "no further versions"),
        (lambda b: b.update(later=[]), "later is empty"),
        (lambda b: b.update(later={}), "bundle.later is not an array"),
        (lambda b: b.update(later=b["later"] * 33), "more than 64 entries"),
        (lambda b: b["later"][0].pop("policy"), r"later\[0\] lacks the member policy"),
        (lambda b: b["later"][0].update(counter=2), r"later\[0\] has an unknown member"),
        (lambda b: b["later"][0].update(amount_fen=-1), r"later\[0\].amount_fen is not"),
        (lambda b: b["later"][1].update(decision_version=0), r"later\[1\].decision_version"),
        (lambda b: b["earlier"][0].update(counter=0), r"earlier\[0\].counter"),
        (lambda b: b["earlier"][0].update(lodge={}), r"earlier\[0\].lodge lacks the member"),
        (lambda b: b["earlier"][0]["policy"].update(text=1), r"earlier\[0\].policy.text is not"),
        (lambda b: b["recoveries"][0].update(number="11"), r"recoveries\[0\].number is not 32"),
        (lambda b: b["recoveries"][0].pop("event"), r"recoveries\[0\] lacks the member event"),
        (lambda b: b.update(recoveries=[1]), r"recoveries\[0\] is not an object"),
    ],
)
def test_malformed_versions_are_refused_and_named(change: Attack, message: str) -> None:
    bundle = FULL.bundle()
    change(bundle)
    with pytest.raises(MalformedError, match=message):
        parse_bundle(evidence.text(bundle))


# what the ledger says otherwise --------------------------------------------------------------


def detail_of(node: SimulatedNode, place: dict[str, Any], change: Callable[[int], int]) -> None:
    log = node.receipts["0x" + place["tx_hash"]]["logs"][0]
    log["data"] = word(change(int(log["data"][2:66], 16))) + log["data"][66:]


def supplement_detail(bits: int) -> Lie:
    """One bit of the detail word of the second supplement is another."""

    def lie(node: SimulatedNode) -> None:
        detail_of(node, FULL.later[1]["supplement"], lambda detail: detail ^ 1 << bits)

    lie.__name__ = f"supplement_bit_{bits}"
    return lie


def paid_sum_falls(node: SimulatedNode) -> None:
    detail_of(node, FULL.later[1]["supplement"], lambda detail: detail - (1 << 176))


def supplement_reverted(node: SimulatedNode) -> None:
    node.receipts["0x" + FULL.later[0]["supplement"]["tx_hash"]]["status"] = "0x0"


def refusal_for_another_reason(node: SimulatedNode) -> None:
    detail_of(node, FULL.earlier[0]["release"], lambda detail: detail ^ 3 << 120)


def events_in_another_order(node: SimulatedNode) -> None:
    first, second = (one["supplement"]["tx_hash"] for one in FULL.later)
    logs = [node.receipts["0x" + tx]["logs"][0] for tx in (first, second)]
    logs[0]["blockNumber"], logs[1]["blockNumber"] = logs[1]["blockNumber"], logs[0]["blockNumber"]


def paid_less(node: SimulatedNode) -> None:
    node.slots[FULL.key] -= 1 << 40


def paid_more(node: SimulatedNode) -> None:
    node.slots[FULL.key] += 1 << 40


def recovery_by_another(node: SimulatedNode) -> None:
    detail_of(node, FULL.recoveries[0]["event"], lambda detail: detail ^ 1 << 24)


LIES: list[tuple[int, Lie]] = [
    *((20, supplement_detail(bits)) for bits in (8, 16, 24, 32, 72, 120, 160, 216)),
    (20, paid_sum_falls),
    (20, supplement_reverted),
    (20, refusal_for_another_reason),
    (20, events_in_another_order),
    (21, paid_less),
    (21, paid_more),
    (22, recovery_by_another),
]


@pytest.mark.parametrize(("check", "lie"), LIES, ids=lambda value: getattr(value, "__name__", None))
def test_ledger_that_says_otherwise_refutes_the_versions(check: int, lie: Lie) -> None:
    node = FULL.node()
    lie(node)
    report = verify(FULL.bundle(), node=node)
    assert ended(report, Status.FAIL) == [check]


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (paid_less, "paid less than the bundle shows"),
        (paid_more, "further payment of this payer"),
        (paid_sum_falls, "paid sums of the events do not follow"),
    ],
)
def test_what_is_wrong_with_the_sums_is_said(lie: Lie, why: str) -> None:
    node = FULL.node()
    lie(node)
    report = verify(FULL.bundle(), node=node)
    assert any(why in result.reason for result in report.results)


def test_later_policy_that_was_published_afterwards_refutes() -> None:
    node = FULL.node()
    settled_at = int(node.blocks[FULL.closed["block_number"]]["timestamp"], 16)
    node.policies[FULL.policy_hash] = settled_at + 1
    report = verify(FULL.bundle(), node=node)
    assert ended(report, Status.FAIL) == [17, 20]


# completeness with other payers ----------------------------------------------------------------


def with_other_payer(story: Story, amount: int) -> SimulatedNode:
    """Another payer lodges and settles after ours did."""
    node = story.node()
    counter = evidence.COUNTER + 1
    slot = node.slots[story.key]
    paid = (slot >> 40 & 2**40 - 1) + amount
    lodge = story.detail(1, value=node.now, payer=OTHER_PAYER, counter=counter, paid=paid - amount)
    settle = story.detail(2, value=amount, version=1, payer=OTHER_PAYER, counter=counter, paid=paid)
    node.claim_event("Lodged(bytes32,uint256)", story.key, lodge)
    node.claim_event("Settled(bytes32,uint256,bytes32,bytes32)", story.key, settle, b"\x01" * 64)
    node.slots[story.key] = (slot + (amount << 40) + (1 << 168)) | 1 << 192 + OTHER_PAYER - 1
    return node


def test_another_payers_settlement_is_no_missing_version() -> None:
    story = Story(supplements=(30,))
    assert verify(story.bundle(), story, with_other_payer(story, 60)).verdict is Verdict.VERIFIED
    assert verify(PLAIN.bundle(), PLAIN, with_other_payer(PLAIN, 60)).verdict is Verdict.VERIFIED


def test_left_out_supplement_is_refuted_among_other_payers_too() -> None:
    story = Story(supplements=(30, 20))
    bundle = story.bundle()
    del bundle["later"][1]
    report = verify(bundle, story, with_other_payer(story, 30))
    assert ended(report, Status.FAIL) == [21]
    assert "further payment of this payer" in reason(report, 21)


def test_node_that_keeps_payments_back_is_undecided() -> None:
    node = with_other_payer(PLAIN, 60)
    last = max(node.receipts, key=lambda tx: int(node.receipts[tx]["blockNumber"], 16))
    del node.receipts[last]
    report = verify(PLAIN.bundle(), PLAIN, node)
    assert ended(report, Status.UNDECIDED) == [21]
    assert "does not give every payment" in reason(report, 21)


def test_node_that_gives_no_events_is_undecided_only_where_they_are_needed() -> None:
    def blind(node: SimulatedNode) -> SimulatedNode:
        honest = node.eth_getLogs
        node.eth_getLogs = lambda question: (  # type: ignore[method-assign]
            honest(question) if question["address"] == node.registry else "none"
        )
        return node

    bundle, trust = FULL.bundle(), parse_trust(evidence.text(FULL.trust()))
    alone = verify_bundle(parse_bundle(evidence.text(bundle)), trust, blind(FULL.node()))
    assert alone.verdict is Verdict.VERIFIED
    among = verify_bundle(
        parse_bundle(evidence.text(bundle)), trust, blind(with_other_payer(FULL, 50))
    )
    assert ended(among, Status.UNDECIDED) == [21]
    assert "events cannot be read" in reason(among, 21)


def test_further_payment_that_is_not_final_yet_is_undecided() -> None:
    story = Story(supplements=(30,))
    trust = story.trust()
    trust["finality"]["confirmations"] = 3
    node = story.node()
    before = PLAIN.node().slots[story.key]
    for number in range(len(node.blocks) + 2):
        node.past_slots[number] = {story.key: before}
    node.mine()
    stale = PLAIN.bundle()
    for name in ("anchor", "claim"):
        stale[name] = story.bundle()[name]
    report = verify(stale, story, node, trust)
    assert ended(report, Status.UNDECIDED) == [21]
    assert "not final yet" in reason(report, 21)
    for _ in range(3):
        node.mine()
    node.past_slots[len(node.blocks) - 3] = node.slots
    assert ended(verify(stale, story, node, trust), Status.FAIL) == [21]


# completeness of refusals ----------------------------------------------------------------------


def decided_again(
    story: Story, *, version: int, call: int = 3, payer: int = PAYER
) -> SimulatedNode:
    """After the claim was refused, somebody lodges again and decides under the next counter."""
    node = story.node()
    counter = evidence.COUNTER + 1
    node.claim_event(
        "Lodged(bytes32,uint256)",
        story.key,
        story.detail(1, value=node.now, payer=payer, counter=counter),
    )
    name, reference = ("Released", 0) if call == 3 else ("Settled", story.reference)
    node.claim_event(
        f"{name}(bytes32,uint256,bytes32,bytes32)",
        story.key,
        story.detail(
            call, value=1, version=version, payer=payer, counter=counter, reference=reference
        ),
        b"\x01" * 64,
    )
    node.slots[story.key] += 1 << 168
    return node


@pytest.mark.parametrize("call", [2, 3])
def test_decision_after_the_shown_refusal_is_undecided(call: int) -> None:
    report = verify(REFUSED.bundle(), REFUSED, decided_again(REFUSED, version=2, call=call))
    assert ended(report, Status.UNDECIDED) == [21]
    assert "under lodge counter 3, by version 2" in reason(report, 21)


@pytest.mark.parametrize(("version", "payer"), [(1, PAYER), (2, OTHER_PAYER)])
def test_decision_that_cannot_be_of_this_claim_does_no_harm(version: int, payer: int) -> None:
    node = decided_again(REFUSED, version=version, payer=payer)
    assert verify(REFUSED.bundle(), REFUSED, node).verdict is Verdict.VERIFIED


def test_left_out_refusal_is_undecided() -> None:
    bundle = FULL.bundle()
    del bundle["earlier"]
    report = verify(bundle)
    assert ended(report, Status.FAIL) == []
    assert ended(report, Status.UNDECIDED) == [21]
    assert "under lodge counter 1, by version 1" in reason(report, 21)
    assert report.verdict is Verdict.UNDECIDED


def test_lodge_that_the_node_does_not_give_is_undecided() -> None:
    bundle, node = FULL.bundle(), FULL.node()
    del bundle["earlier"]
    for name in ("lodge", "release"):
        del node.receipts["0x" + FULL.earlier[0][name]["tx_hash"]]
    report = verify(bundle, node=node)
    assert ended(report, Status.UNDECIDED) == [21]
    assert "does not give every lodge" in reason(report, 21)


def test_claim_that_came_back_and_is_still_open_is_verified_as_refused() -> None:
    node = REFUSED.node()
    again = REFUSED.detail(1, value=node.now, counter=evidence.COUNTER + 1)
    node.claim_event("Lodged(bytes32,uint256)", REFUSED.key, again)
    node.slots[REFUSED.key] += 1 << 168
    assert verify(REFUSED.bundle(), REFUSED, node).verdict is Verdict.VERIFIED


def test_versions_in_blocks_that_may_still_change_are_undecided() -> None:
    trust = FULL.trust()
    trust["finality"]["confirmations"] = 4  # the last supplement and both recoveries are younger
    report = verify(FULL.bundle(), trust=trust)
    assert ended(report, Status.FAIL) == []
    assert ended(report, Status.UNDECIDED) == [20, 22]
    assert "too few blocks" in reason(report, 20) + reason(report, 22)
    node = FULL.node()
    for _ in range(3):
        node.mine()
    assert verify(FULL.bundle(), node=node, trust=trust).verdict is Verdict.VERIFIED
