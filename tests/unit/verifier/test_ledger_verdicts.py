"""What the ledger says, does not say or cannot be asked, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import evidence
from tests.reference.evidence import Story
from tests.reference.simulated_node import SimulatedNode
from verifier.bundle import parse_bundle
from verifier.errors import RefutedError, UndecidedError
from verifier.trust import parse_trust
from verifier.verifier import Report, Status, Verdict, verify_bundle

STORY = Story()


def verify(
    node: SimulatedNode | None,
    bundle: dict[str, Any] | None = None,
    trust: dict[str, Any] | None = None,
    story: Story = STORY,
) -> Report:
    return verify_bundle(
        parse_bundle(evidence.text(bundle or story.bundle())),
        parse_trust(evidence.text(trust or story.trust())),
        node,
    )


def ended(report: Report, status: Status) -> list[int]:
    return [result.check.number for result in report.results if result.status is status]


def reason(report: Report, number: int) -> str:
    return report.results[number - 1].reason


# undecided -----------------------------------------------------------------------------------


def other_chain_id(node: SimulatedNode) -> None:
    node.chain_id = 1338


def other_genesis(node: SimulatedNode) -> None:
    node.blocks[0]["hash"] = "0x" + "11" * 32


def other_registry_code(node: SimulatedNode) -> None:
    node.code[node.registry] = "0x6003"


def other_ledger_code(node: SimulatedNode) -> None:
    node.code[node.ledger] = "0x6003"


def no_ledger_code(node: SimulatedNode) -> None:
    del node.code[node.ledger]


def node_is_syncing(node: SimulatedNode) -> None:
    node.syncing = {"currentBlock": "0x1"}


def node_is_unreachable(node: SimulatedNode) -> None:
    node.unreachable = True


def node_refuses(node: SimulatedNode) -> None:
    node.failing.add("eth_chainId")


def answers_with_garbage(node: SimulatedNode) -> None:
    node.chain_id = "no number"  # type: ignore[assignment]
    node.eth_chainId = lambda: "0xzz"  # type: ignore[method-assign]


def block_without_hash(node: SimulatedNode) -> None:
    del node.blocks[0]["hash"]


def genesis_is_a_text(node: SimulatedNode) -> None:
    node.blocks[0] = "block"  # type: ignore[call-overload]


def code_is_no_hex(node: SimulatedNode) -> None:
    node.code[node.ledger] = "0xzz"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_chain_id, "another chain"),
        (other_genesis, "another genesis"),
        (other_registry_code, "code of the registry"),
        (other_ledger_code, "code of the invoice ledger"),
        (no_ledger_code, "code of the invoice ledger"),
        (node_is_syncing, "catching up"),
        (node_is_unreachable, "did not answer"),
        (node_refuses, "refused the question"),
        (answers_with_garbage, "chain id cannot be read"),
        (block_without_hash, "block hash cannot be read"),
        (genesis_is_a_text, "block cannot be read"),
        (code_is_no_hex, "code cannot be read"),
    ],
)
def test_another_chain_or_no_node_is_undecided_and_nothing_more_is_asked(
    change: Callable[[SimulatedNode], None], message: str
) -> None:
    node = STORY.node()
    change(node)
    report = verify(node)
    assert report.verdict is Verdict.UNDECIDED
    assert ended(report, Status.UNDECIDED) == [12, 13, 14, 15, 16, 17, 18, 20, 21, 22]
    assert message in reason(report, 12)
    assert report.as_of_block is None
    assert not {"eth_call", "eth_getTransactionReceipt"} & set(node.calls)
    with pytest.raises(UndecidedError, match="check 12: "):
        report.raise_for_verdict()


def test_without_a_node_the_ledger_is_undecided_and_custody_is_hearsay() -> None:
    report = verify(None)
    assert report.verdict is Verdict.UNDECIDED
    assert ended(report, Status.UNDECIDED) == [12, 13, 14, 15, 16, 17, 18, 20, 21, 22]
    assert not report.node_believed
    assert not report.is_custody_shown


def test_refuted_wins_over_undecided() -> None:
    bundle = STORY.bundle()
    bundle["batch"]["root"] = "11" * 32
    assert verify(None, bundle).verdict is Verdict.REFUTED


def test_node_that_knows_no_syncing_is_taken_as_in_step() -> None:
    node = STORY.node()
    node.failing.add("eth_syncing")
    assert verify(node).verdict is Verdict.VERIFIED


@pytest.mark.parametrize(
    ("method", "checks"),
    [
        ("eth_getTransactionReceipt", [13, 15, 16]),
        ("eth_getLogs", [14]),
        ("eth_call", [13, 14, 17, 18, 21]),
    ],
)
def test_unanswered_question_leaves_its_checks_undecided(method: str, checks: list[int]) -> None:
    node = STORY.node()
    node.failing.add(method)
    report = verify(node)
    assert report.verdict is Verdict.UNDECIDED
    assert ended(report, Status.UNDECIDED) == checks
    assert ended(report, Status.FAIL) == []


def test_facts_without_enough_blocks_on_top_are_undecided() -> None:
    trust = STORY.trust()
    trust["finality"]["confirmations"] = 2
    report = verify(STORY.node(), trust=trust)
    assert report.verdict is Verdict.UNDECIDED
    assert ended(report, Status.UNDECIDED) == [16]
    node = STORY.node()
    node.mine()
    assert verify(node, trust=trust).verdict is Verdict.VERIFIED


def test_unlisted_institution_is_undecided_and_no_list_is_fine() -> None:
    trust = STORY.trust()
    trust["institutions"] = {"8": {"code": "H1", "name": "x"}}
    report = verify(STORY.node(), trust=trust)
    assert ended(report, Status.UNDECIDED) == [14]
    del trust["institutions"]
    assert verify(STORY.node(), trust=trust).verdict is Verdict.VERIFIED


# refuted -------------------------------------------------------------------------------------


def test_chain_reverted_to_before_the_anchor_refutes() -> None:
    node = STORY.node()
    node.revert_to(STORY.anchored["block_number"] - 1)
    report = verify(node)
    assert report.verdict is Verdict.REFUTED
    assert ended(report, Status.FAIL) == [13, 15, 16, 17, 18]
    assert "no batch with this number" in reason(report, 13)


def test_reverted_settlement_refutes_only_what_followed_it() -> None:
    node = STORY.node()
    heads, slots = dict(node.heads), dict(node.slots)
    node.revert_to(STORY.lodged["block_number"])
    node.heads, node.slots = heads, slots
    report = verify(node)
    assert ended(report, Status.FAIL) == [16, 17]
    assert "no transaction of the closing" in reason(report, 16)


def closing_receipt(node: SimulatedNode) -> dict[str, Any]:
    return node.receipts["0x" + STORY.closed["tx_hash"]]


def anchor_receipt(node: SimulatedNode) -> dict[str, Any]:
    return node.receipts["0x" + STORY.anchored["tx_hash"]]


def anchor_from_another_account(node: SimulatedNode) -> None:
    log = anchor_receipt(node)["logs"][0]
    log["topics"][3] = "0x" + "00" * 12 + "11" * 20


def head_of_another_batch(node: SimulatedNode) -> None:
    node.heads[evidence.INSTITUTION, evidence.SEQUENCE] = b"\x11" * 32


def event_of_another_contract(node: SimulatedNode) -> None:
    anchor_receipt(node)["logs"][0]["address"] = "0x" + "11" * 20


def anchor_sent_by_another(node: SimulatedNode) -> None:
    anchor_receipt(node)["from"] = "0x" + "11" * 20


def anchor_of_another_root(node: SimulatedNode) -> None:
    log = anchor_receipt(node)["logs"][0]
    log["data"] = "0x" + "11" * 32 + log["data"][66:]


def reverted_transaction(node: SimulatedNode) -> None:
    closing_receipt(node)["status"] = "0x0"


def no_events(node: SimulatedNode) -> None:
    closing_receipt(node)["logs"] = []


def another_block_of_that_number(node: SimulatedNode) -> None:
    node.blocks[STORY.closed["block_number"]]["hash"] = "0x" + "11" * 32


def account_of_nobody(node: SimulatedNode) -> None:
    node.accounts.clear()


def account_of_a_payer(node: SimulatedNode) -> None:
    node.accounts[evidence.ACCOUNT] = (2, evidence.INSTITUTION, True)


def account_of_another_institution(node: SimulatedNode) -> None:
    node.accounts[evidence.ACCOUNT] = (1, 8, True)


def code_of_another(node: SimulatedNode) -> None:
    node.codes[evidence.INSTITUTION] = b"H33080300002".ljust(16, b"\x00")


def never_registered(node: SimulatedNode) -> None:
    node.registry_logs.clear()


def custody_none(node: SimulatedNode) -> None:
    node.registry_logs[0]["data"] = node.registry_logs[0]["data"][:-1] + "0"


def detail_changed(shift: int, value: int = 1) -> Callable[[SimulatedNode], None]:
    """The closing's detail word with one field xored."""

    def change(node: SimulatedNode) -> None:
        log = closing_receipt(node)["logs"][0]
        word = int(log["data"][2:66], 16) ^ value << shift
        log["data"] = f"0x{word:064x}" + log["data"][66:]

    change.__name__ = f"detail_bit_{shift}"
    return change


def other_decision(node: SimulatedNode) -> None:
    log = closing_receipt(node)["logs"][0]
    log["data"] = log["data"][:66] + "11" * 32 + log["data"][130:]


def event_cut_short(node: SimulatedNode) -> None:
    log = closing_receipt(node)["logs"][0]
    log["data"] = log["data"][:-64]


def other_key(node: SimulatedNode) -> None:
    closing_receipt(node)["logs"][0]["topics"][1] = "0x" + "11" * 32


def unpublished_policy(node: SimulatedNode) -> None:
    node.policies.clear()


def policy_published_later(node: SimulatedNode) -> None:
    node.policies[STORY.policy_hash] = node.now + 1


def slot_changed(word: Callable[[int], int], name: str) -> Callable[[SimulatedNode], None]:
    def change(node: SimulatedNode) -> None:
        node.slots[STORY.key] = word(node.slots[STORY.key])

    change.__name__ = name
    return change


LIES: list[tuple[int, Callable[[SimulatedNode], None]]] = [
    (13, head_of_another_batch),
    (13, event_of_another_contract),
    (13, anchor_sent_by_another),
    (13, anchor_of_another_root),
    (13, anchor_from_another_account),
    (14, account_of_nobody),
    (14, account_of_a_payer),
    (14, account_of_another_institution),
    (14, code_of_another),
    (14, never_registered),
    (14, custody_none),
    (16, reverted_transaction),
    (16, no_events),
    (16, another_block_of_that_number),
    (16, detail_changed(8)),
    (16, detail_changed(16)),
    (16, detail_changed(24)),
    (16, detail_changed(32)),
    (16, detail_changed(72)),
    (16, detail_changed(120)),
    (16, detail_changed(160)),
    (16, detail_changed(216)),
    (16, other_decision),
    (16, event_cut_short),
    (16, other_key),
    (17, unpublished_policy),
    (17, policy_published_later),
    (18, slot_changed(lambda word: 0, "empty_slot")),
    (18, slot_changed(lambda word: word ^ 1, "other_total")),
    (18, slot_changed(lambda word: word ^ 1 << 80, "other_leaf")),
    (18, slot_changed(lambda word: word - (1 << 40), "less_paid")),
    (18, slot_changed(lambda word: word + (1000 << 40), "paid_beyond_total")),
    (18, slot_changed(lambda word: word - (1 << 168), "earlier_counter")),
    (18, slot_changed(lambda word: word ^ 1 << (192 + evidence.PAYER - 1), "payer_not_settled")),
]


@pytest.mark.parametrize(("check", "lie"), LIES, ids=lambda value: getattr(value, "__name__", None))
def test_ledger_that_says_otherwise_refutes_by_the_named_check(
    check: int, lie: Callable[[SimulatedNode], None]
) -> None:
    node = STORY.node()
    lie(node)
    report = verify(node)
    assert report.verdict is Verdict.REFUTED
    assert ended(report, Status.FAIL) == [check]
    with pytest.raises(RefutedError, match=f"check {check}: "):
        report.raise_for_verdict()


@pytest.mark.parametrize("field", ["status", "blockNumber", "blockHash", "from", "logs"])
def test_unreadable_receipt_is_undecided(field: str) -> None:
    node = STORY.node()
    closing_receipt(node)[field] = {"un": "readable"}
    report = verify(node)
    assert ended(report, Status.UNDECIDED) == [16]
    assert report.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("topics", [None, ["0x11"], ["0x" + "11" * 32] * 5])
def test_unreadable_topics_are_undecided(topics: object) -> None:
    node = STORY.node()
    closing_receipt(node)["logs"][0]["topics"] = topics
    assert ended(verify(node), Status.UNDECIDED) == [16]


def test_other_events_of_the_same_transaction_do_no_harm() -> None:
    node = STORY.node()
    logs = closing_receipt(node)["logs"]
    foreign = {**logs[0], "address": "0x" + "11" * 20}
    anonymous = {**logs[0], "topics": []}
    closing_receipt(node)["logs"] = [foreign, anonymous, *logs]
    assert verify(node).verdict is Verdict.VERIFIED


# successors ----------------------------------------------------------------------------------

RETIRED = "0x" + "22" * 20


def succeeded() -> tuple[SimulatedNode, dict[str, Any]]:
    """The story told by a ledger that has since been retired; its successor answers for it."""
    node, trust = STORY.node(), STORY.trust()
    for receipt in node.receipts.values():
        for log in receipt["logs"]:
            if log["address"] == node.ledger:
                log["address"] = RETIRED
    node.code[RETIRED] = "0x6004"
    trust["contracts"]["predecessors"] = [
        {
            "address": RETIRED[2:],
            "code_hash": node.code_hash(bytes.fromhex(RETIRED[2:])),
            "deployment_block": 1,
        }
    ]
    return node, trust


def test_events_of_a_trusted_predecessor_count() -> None:
    node, trust = succeeded()
    assert verify(node, trust=trust).verdict is Verdict.VERIFIED


def test_events_of_a_ledger_that_nobody_trusts_refute() -> None:
    node, _ = succeeded()
    assert ended(verify(node), Status.FAIL) == [13, 15, 16]


def test_predecessor_with_other_code_is_not_the_trusted_chain() -> None:
    node, trust = succeeded()
    node.code[RETIRED] = "0x6005"
    report = verify(node, trust=trust)
    assert report.verdict is Verdict.UNDECIDED
    assert "the code of the retired invoice ledger is not the trusted code" in reason(report, 12)


def test_a_predecessor_does_not_answer_for_its_successors_slots() -> None:
    node, trust = succeeded()
    node.slots.clear()
    assert ended(verify(node, trust=trust), Status.FAIL) == [18]


# custody -------------------------------------------------------------------------------------


def test_custodial_anchor_is_verified_and_says_who_held_the_key() -> None:
    story = Story()
    for log in story.chain.registry_logs:
        log["data"] = log["data"][:-1] + "2"
    bundle = story.bundle()
    bundle["anchor"]["custody"] = "custodial"
    report = verify(story.node(), bundle, story=story)
    assert report.verdict is Verdict.VERIFIED
    assert (report.custody, report.is_custody_shown) == ("custodial", True)


def test_custody_is_that_of_the_anchors_block_not_of_today() -> None:
    node = STORY.node()
    node.change_terms(evidence.INSTITUTION, custody=2)
    assert verify(node).verdict is Verdict.VERIFIED


def test_change_of_custody_before_the_anchor_counts() -> None:
    node = STORY.node()
    node.change_terms(evidence.INSTITUTION, custody=2)
    node.registry_logs[-1]["blockNumber"] = hex(STORY.anchored["block_number"])
    report = verify(node)
    assert ended(report, Status.FAIL) == [14]
    assert "custody mode" in reason(report, 14)


def test_events_of_other_institutions_and_contracts_are_filtered_again() -> None:
    node = STORY.node()
    honest = node.registry_logs[0]
    for change in (
        {"address": "0x" + "11" * 20},
        {"topics": [honest["topics"][0], "0x" + "00" * 31 + "09"]},
        {"topics": []},
    ):
        node.registry_logs.append({**honest, "data": honest["data"][:-1] + "2", **change})
    assert verify(node).verdict is Verdict.VERIFIED


def test_registration_event_of_another_layout_is_undecided() -> None:
    node = STORY.node()
    node.registry_logs[0]["data"] = "0x" + "11" * 96
    assert ended(verify(node), Status.UNDECIDED) == [14]


def test_node_with_a_narrow_range_of_events_is_asked_in_parts() -> None:
    node = STORY.node()
    node.log_range_limit = 1
    assert verify(node).verdict is Verdict.VERIFIED
    assert node.calls.count("eth_getLogs") > 2


def test_search_for_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier import chain

    monkeypatch.setattr(chain, "MAX_LOG_QUESTIONS", 2)
    node = STORY.node()
    node.log_range_limit = 1
    report = verify(node)
    assert ended(report, Status.UNDECIDED) == [14]
    assert "very small ranges" in reason(report, 14)


# notes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flag", "words"), [(2, "void"), (4, "reversed"), (8, "paper")])
def test_bill_voided_reversed_or_on_paper_since_is_said_and_does_not_refute(
    flag: int, words: str
) -> None:
    node = STORY.node()
    node.slots[STORY.key] |= flag << 184
    report = verify(node)
    assert report.verdict is Verdict.VERIFIED
    assert [words in en for _, en in report.notes] == [True]


def test_refusal_stays_verified_when_another_payer_has_lodged_since() -> None:
    story = Story(closing="release")
    node = story.node()
    node.slots[story.key] = 350 | 50 << 40 | (story.reference + 1) << 80 | 3 << 168
    others = story.detail(1, value=node.now, payer=9, counter=3)
    node.claim_event("Lodged(bytes32,uint256)", story.key, others)
    assert verify(node, story=story).verdict is Verdict.VERIFIED


def test_release_for_another_reason_is_no_refusal() -> None:
    story = Story(closing="release")
    node = story.node()
    log = node.receipts["0x" + story.closed["tx_hash"]]["logs"][0]
    word = int(log["data"][2:66], 16) ^ 3 << 120
    log["data"] = f"0x{word:064x}" + log["data"][66:]
    assert ended(verify(node, story=story), Status.FAIL) == [16]


def test_latest_block_is_named() -> None:
    node = STORY.node()
    report = verify(node)
    assert report.as_of_block is not None
    assert report.as_of_block.number == len(node.blocks) - 1


def test_trust_file_that_knows_the_institution_by_another_code_refutes() -> None:
    trust = STORY.trust()
    trust["institutions"]["7"]["code"] = "H33080300002"
    report = verify(STORY.node(), trust=trust)
    assert ended(report, Status.FAIL) == [14]
    assert "trust file knows the institution by another code" in reason(report, 14)


def test_registered_code_that_is_no_text_is_undecided() -> None:
    node = STORY.node()
    node.codes[evidence.INSTITUTION] = b"\xff" * 16
    assert ended(verify(node), Status.UNDECIDED) == [14]


def test_node_that_loses_its_latest_block_is_undecided() -> None:
    node = STORY.node()
    honest = node.eth_getBlockByNumber

    def forgetful(tag: str, full: bool) -> Any:
        return None if tag == "latest" else honest(tag, full)

    node.eth_getBlockByNumber = forgetful  # type: ignore[method-assign]
    report = verify(node)
    assert ended(report, Status.UNDECIDED) == [13, 15, 16]
    assert report.as_of_block is None
