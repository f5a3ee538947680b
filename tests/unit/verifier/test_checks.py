"""Records that a dishonest institution or payer could commit to: well hashed, and still refuted.

Here the fingerprint is right, since the story itself is changed; the later checks have to notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import evidence
from tests.reference.evidence import Story, decision_record, invoice_record
from verifier.bundle import parse_bundle
from verifier.trust import parse_trust
from verifier.verifier import Report, Status, Verdict, verify_bundle

Record = dict[str, Any]


def verify(story: Story, bundle: Record | None = None, trust: Record | None = None) -> Report:
    return verify_bundle(
        parse_bundle(evidence.text(bundle or story.bundle())),
        parse_trust(evidence.text(trust or story.trust())),
        story.node(),
    )


def ended(report: Report, status: Status) -> list[int]:
    return [result.check.number for result in report.results if result.status is status]


def reasons(report: Report) -> str:
    return " | ".join(result.reason for result in report.results if result.reason)


def with_invoice(change: Callable[[Record], None], kind: int = 1) -> Story:
    record = invoice_record()
    change(record)
    return Story(invoice=record, kind=kind)


def with_decision(change: Callable[[Record], None], closing: str = "settle") -> Story:
    make = decision_record if closing == "settle" else evidence.refusal_record
    record = make(Story().fingerprint)
    change(record)
    return Story(decision=record, closing=closing)


# 3 to 5: the bill ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "checks", "message"),
    [
        (lambda r: r.update(format="yichu-invoice-2"), [3], "not an invoice of format 1"),
        (lambda r: r.update(format=1), [3], "format is not a text"),
        (lambda r: r.pop("format"), [3], "the record has no field format"),
        (lambda r: r.update(settlement_number=5), [3, 4], "settlement_number is not a text"),
        (lambda r: r.update(invoice_code=["a"]), [3, 5], "no field invoice_code"),
    ],
)
def test_header_of_another_shape_is_refuted(
    change: Callable[[Record], None], checks: list[int], message: str
) -> None:
    story = Story()
    change(story.invoice)
    bundle = rehashed(story)
    report = verify(story, bundle)
    failed = ended(report, Status.FAIL)
    assert [number for number in failed if number <= 5] == checks
    assert message in reasons(report)


def rehashed(story: Story) -> Record:
    """A bundle of the changed record with its right fingerprint; only checks 1 to 5 can hold."""
    from tests.reference import commitment as ref

    story.leaf["fingerprint"] = ref.fingerprint(story.invoice, evidence.SECRET)
    bundle = story.bundle()
    bundle["invoice"] = {"leaves": evidence.open_leaves(story.invoice, evidence.SECRET)}
    return bundle


def test_amount_of_another_type_is_refuted() -> None:
    story = Story()
    story.invoice["fund_pay_fen"] = "0"
    report = verify(story, rehashed(story))
    assert {3, 4} <= set(ended(report, Status.FAIL))
    assert "fund_pay_fen is not an integer" in reasons(report)


def test_amount_beyond_the_slot_is_refuted() -> None:
    story = Story()
    story.invoice["total_fen"] = 2**40
    report = verify(story, rehashed(story))
    assert 3 in ended(report, Status.FAIL)
    assert "total_fen is beyond 2^40 - 1" in reasons(report)


def test_lines_that_are_no_array_are_refuted() -> None:
    story = Story()
    story.invoice["lines"] = {"0": story.invoice["lines"][0]}
    report = verify(story, rehashed(story))
    assert {3, 11} <= set(ended(report, Status.FAIL))
    assert "no open array lines" in reasons(report)


def test_more_lines_than_the_limit_are_refuted() -> None:
    story = Story()
    story.invoice["lines"] = [{"amount": "0.0000"}] * 5001
    report = verify(story, rehashed(story))
    assert 3 in ended(report, Status.FAIL)
    assert "too many lines" in reasons(report)


def test_kind_settled_when_a_fund_has_paid() -> None:
    story = with_invoice(lambda r: r.update(fund_pay_fen=1, own_pay_fen=299), kind=2)
    assert ended(verify(story), Status.FAIL) == []
    wrong = with_invoice(lambda r: r.update(fund_pay_fen=1, own_pay_fen=299), kind=1)
    assert ended(verify(wrong), Status.FAIL) == [4]


def test_kind_settled_when_there_is_a_settlement_number() -> None:
    story = with_invoice(lambda r: r.update(settlement_number="S1"), kind=2)
    assert verify(story).verdict is Verdict.VERIFIED
    wrong = with_invoice(lambda r: r.update(settlement_number="S1"), kind=1)
    assert ended(verify(wrong), Status.FAIL) == [4]


def test_red_bill_cannot_be_claimed() -> None:
    story = Story()
    story.invoice["total_fen"] = -350
    story.leaf.update(kind=3, total_fen=0, borne_fen=0)
    report = verify(story, rehashed(story))
    assert "a red bill cannot be claimed" in reasons(report)
    story.leaf.update(kind=1)
    assert "kind of a red bill differs" in reasons(verify(story, rehashed(story)))


def test_hidden_field_leaves_the_kind_undecided_and_a_settled_bill_verified() -> None:
    story = Story()
    bundle = story.bundle()
    evidence.hide(bundle["invoice"]["leaves"], "/payer_name")
    report = verify(story, bundle)
    assert report.verdict is Verdict.UNDECIDED
    assert ended(report, Status.UNDECIDED) == [4]
    settled = with_invoice(lambda r: r.update(settlement_number="S1"), kind=2)
    bundle = settled.bundle()
    evidence.hide(bundle["invoice"]["leaves"], "/payer_name")
    assert verify(settled, bundle).verdict is Verdict.VERIFIED


def test_hidden_line_leaves_the_balance_undecided() -> None:
    story = Story()
    bundle = story.bundle()
    evidence.hide(bundle["invoice"]["leaves"], "/lines/1")
    report = verify(story, bundle)
    assert ended(report, Status.UNDECIDED) == [11]
    assert ended(report, Status.FAIL) == []


def test_hidden_settlement_number_is_refuted() -> None:
    story = with_invoice(lambda r: r.update(settlement_number="S1"), kind=2)
    bundle = story.bundle()
    evidence.hide(bundle["invoice"]["leaves"], "/settlement_number")
    report = verify(story, bundle)
    assert ended(report, Status.FAIL) == [3, 4]
    assert "settlement_number must be open and is hidden" in reasons(report)


def test_invoice_key_is_listed_as_not_checked_without_the_network_key() -> None:
    story = Story()
    trust = story.trust()
    del trust["network_key"]
    report = verify(story, trust=trust)
    assert report.verdict is Verdict.VERIFIED
    assert ended(report, Status.NOT_CHECKED) == [5]


def test_invoice_key_of_another_version_is_not_checked() -> None:
    story = Story()
    trust = {**story.trust(), "network_key_version": 2}
    report = verify(story, trust=trust)
    assert ended(report, Status.NOT_CHECKED) == [5]


def test_invoice_key_of_another_number_is_refuted() -> None:
    story = Story()
    trust = {**story.trust(), "network_key": "00" * 32}
    assert ended(verify(story, trust=trust), Status.FAIL) == [5]


def test_number_of_no_known_shape_is_refuted_with_the_network_key() -> None:
    story = Story()
    story.invoice["invoice_number"] = "12"
    report = verify(story, rehashed(story))
    assert 5 in ended(report, Status.FAIL)
    assert "8 and 10, 12 and 8" in reasons(report)


# 9 and 11: the decision ----------------------------------------------------------------------


def line(index: int, /, **change: Any) -> Callable[[Record], None]:
    return lambda record: record["lines"][index].update(change)


def cut(**change: Any) -> Callable[[Record], None]:
    return lambda record: record["lines"][0]["adjustments"][0].update(change)


@pytest.mark.parametrize(
    ("change", "check", "message"),
    [
        (lambda r: r.update(format="yichu-eob-2"), 9, "format of the decision differs"),
        (lambda r: r.update(invoice_fingerprint="00" * 32), 9, "bill of the decision differs"),
        (lambda r: r.update(payer_number=5), 9, "payer of the decision differs"),
        (lambda r: r.update(lodge_counter=1), 9, "lodge counter of the decision differs"),
        (lambda r: r.update(decision_version=2), 9, "decision version differs"),
        (lambda r: r.update(policy_hash="00" * 32), 9, "policy of the decision differs"),
        (lambda r: r.update(outcome="paid"), 9, "unknown outcome"),
        (lambda r: r.update(outcome="refused"), 9, "a refusal is released"),
        (lambda r: r.update(outcome=1), 9, "outcome is not a text"),
        (lambda r: r.update(submitted_fen=349), 11, "sum of the lines' submitted fen differs"),
        (lambda r: r["lines"].pop(), 11, "number of lines differs"),
        (lambda r: r.update(lines=[]), 11, "number of lines differs"),
        (lambda r: r.update(lines={}), 11, "no open array lines"),
        (line(0, index=1), 11, "index differs"),
        (line(0, index="0"), 11, "index is not an integer"),
        (line(0, paid_fen=76), 11, "line 0 of the decision does not balance"),
        (line(0, submitted_fen=102), 11, "line 0 of the decision does not balance"),
        (line(0, paid_fen=-1, submitted_fen=25), 11, "negative amount"),
        (line(0, adjustments=[]), 11, "does not balance"),
        (line(0, adjustments={}), 11, "adjustments is not an array"),
        (line(0, adjustments=[1]), 11, "lacks group"),
        (cut(basis_zh=""), 11, "an adjustment without basis_zh"),
        (cut(basis_en=" "), 11, "an adjustment without basis_en"),
        (cut(code=1), 11, "code is not a text"),
        (cut(amount_fen=27), 11, "does not balance"),
        (cut(amount_fen="26"), 11, "amount_fen is not an integer"),
        (lambda r: r["lines"][0].pop("paid_fen"), 11, "lacks paid_fen"),
        (lambda r: r["lines"].__setitem__(0, 1), 11, "lacks index"),
        (lambda r: r["lines"][0]["adjustments"][0].pop("rule_id"), 11, "lacks rule_id"),
    ],
)
def test_decision_that_does_not_hold_is_refuted(
    change: Callable[[Record], None], check: int, message: str
) -> None:
    report = verify(with_decision(change))
    assert ended(report, Status.FAIL) == [check]
    assert message in reasons(report)


def shift(record: Record) -> None:
    """One fen from line 0 to line 1 and one from 1 to 2: sums agree, two lines do not."""
    record["lines"][0].update(submitted_fen=99, paid_fen=73)
    record["lines"][2].update(submitted_fen=151, paid_fen=52)


def test_line_that_differs_from_the_bill_by_a_fen_is_refuted() -> None:
    report = verify(with_decision(shift))
    assert ended(report, Status.FAIL) == [11]
    assert "line 0 of the bill differs from the decision" in reasons(report)


def test_total_that_is_not_the_bills_is_refuted() -> None:
    def less(record: Record) -> None:
        record["lines"][2].update(submitted_fen=148, paid_fen=49)
        record.update(submitted_fen=349, paid_fen=199)

    report = verify(with_decision(less))
    assert ended(report, Status.FAIL) == [11]
    assert "submitted fen of the decision differs" in reasons(report)


def test_paid_sum_that_is_not_that_of_the_lines_is_refuted() -> None:
    report = verify(with_decision(lambda r: r.update(paid_fen=201)))
    assert ended(report, Status.FAIL) == [11]
    assert "sum of the lines' paid fen differs" in reasons(report)


def test_more_paid_than_was_left_is_refuted() -> None:
    def everything(record: Record) -> None:
        for entry in record["lines"]:
            entry.update(paid_fen=entry["submitted_fen"], adjustments=[])
        record.update(paid_fen=350)

    report = verify(with_decision(everything))
    assert 11 in ended(report, Status.FAIL)
    assert "more is paid than was left" in reasons(report)


def test_refusal_that_pays_is_refuted() -> None:
    def pays(record: Record) -> None:
        record["lines"][0].update(paid_fen=1, adjustments=[evidence.adjustment(100)])
        record.update(paid_fen=1)

    report = verify(with_decision(pays, closing="release"))
    assert 9 in ended(report, Status.FAIL)
    assert "a refusal pays nothing" in reasons(report)


@pytest.mark.parametrize("amount", ["1.005", "1.00500", "01.0050", "1,0050", "１.0050", 10050])
def test_line_amount_of_another_spelling_is_refuted(amount: Any) -> None:
    story = with_invoice(lambda r: r["lines"][0].update(amount=amount))
    report = verify(story)
    assert ended(report, Status.FAIL) == [11]


def test_element_that_is_no_object_is_refuted() -> None:
    story = with_invoice(lambda r: r["lines"].__setitem__(0, "1.0050"))
    report = verify(story)
    assert ended(report, Status.FAIL) == [11]
    assert "line 0 of the bill lacks amount" in reasons(report)


def test_unreadable_leaves_leave_the_checks_after_them_undecided() -> None:
    story = Story()
    bundle = story.bundle()
    bundle["invoice"]["leaves"] = []
    report = verify(story, bundle)
    assert ended(report, Status.FAIL) == [2]
    assert ended(report, Status.UNDECIDED) == [3, 4, 5, 11]
    bundle = story.bundle()
    bundle["decision"]["leaves"] = []
    report = verify(story, bundle)
    assert ended(report, Status.FAIL) == [8]
    assert ended(report, Status.UNDECIDED) == [9, 11]
