"""Every tampered bundle is refuted by the check that SPEC.md names for it.

The valid bundle is made by the reference implementation. Each attack names what it changes and the
check that has to fail first; weaknesses W1 to W9 of published verifiers are among them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.reference import commitment as ref
from tests.reference import evidence
from tests.reference.evidence import Story
from verifier.bundle import parse_bundle
from verifier.errors import MalformedError, RefutedError
from verifier.trust import parse_trust
from verifier.verifier import Report, Status, Verdict, verify_bundle

Bundle = dict[str, Any]
STORY = Story()


def verify(bundle: Bundle, story: Story = STORY) -> Report:
    trust = parse_trust(evidence.text(story.trust()))
    return verify_bundle(parse_bundle(evidence.text(bundle)), trust, story.node())


def first_failure(report: Report) -> int:
    failed = [r.check.number for r in report.results if r.status is Status.FAIL]
    return failed[0] if failed else 0


def leaf(bundle: Bundle, path: str, record: str = "invoice") -> dict[str, Any]:
    found: dict[str, Any] = next(
        entry for entry in bundle[record]["leaves"] if entry["path"] == path
    )
    return found


def leaves(bundle: Bundle, record: str = "invoice") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bundle[record]["leaves"]
    return found


def place(bundle: Bundle, path: str, record: str = "invoice") -> int:
    return [entry["path"] for entry in leaves(bundle, record)].index(path)


# the attacks ---------------------------------------------------------------------------------


def header_field(bundle: Bundle) -> None:
    leaf(bundle, "/payer_name")["value"] = "样本乙"


def total_fen(bundle: Bundle) -> None:
    leaf(bundle, "/total_fen")["value"] = 351


def line_amount(bundle: Bundle) -> None:
    leaf(bundle, "/lines/0")["value"]["amount"] = "1.0051"


def line_removed(bundle: Bundle) -> None:
    leaves(bundle).remove(leaf(bundle, "/lines/2"))


def line_removed_and_counted(bundle: Bundle) -> None:
    line_removed(bundle)
    leaf(bundle, "/lines")["value"]["length"] = 2


def line_added(bundle: Bundle) -> None:
    at = place(bundle, "/lines/2") + 1
    leaves(bundle).insert(at, {**leaf(bundle, "/lines/2"), "path": "/lines/3"})


def line_added_and_counted(bundle: Bundle) -> None:
    line_added(bundle)
    leaf(bundle, "/lines")["value"]["length"] = 4


def lines_swapped(bundle: Bundle) -> None:
    first, second = leaf(bundle, "/lines/0"), leaf(bundle, "/lines/2")
    first["value"], second["value"] = second["value"], first["value"]


def lines_swapped_with_salts_and_paths(bundle: Bundle) -> None:
    a, b = place(bundle, "/lines/0"), place(bundle, "/lines/2")
    entries = leaves(bundle)
    entries[a], entries[b] = entries[b], entries[a]


def salt_changed(bundle: Bundle) -> None:
    entry = leaf(bundle, "/total_fen")
    entry["salt"] = entry["salt"][:-1] + ("0" if entry["salt"][-1] != "0" else "1")


def salts_swapped(bundle: Bundle) -> None:
    a, b = leaf(bundle, "/total_fen"), leaf(bundle, "/payer_name")
    a["salt"], b["salt"] = b["salt"], a["salt"]


def kind_changed(bundle: Bundle) -> None:
    leaf(bundle, "/lines/1")["kind"] = 1


def field_called_element(bundle: Bundle) -> None:
    leaf(bundle, "/total_fen")["kind"] = 3


def w1_field_added_with_extra_salt(bundle: Bundle) -> None:
    leaves(bundle).append({"path": "/zz_evil", "kind": 1, "salt": "00" * 32, "value": "x"})


def w1_and_counted(bundle: Bundle) -> None:
    w1_field_added_with_extra_salt(bundle)
    leaf(bundle, "")["value"]["length"] += 1


def w2_array_becomes_object(bundle: Bundle) -> None:
    lines = [leaf(bundle, f"/lines/{n}") for n in range(3)]
    for entry in lines:
        leaves(bundle).remove(entry)
    entry = leaf(bundle, "/lines")
    entry.update(kind=1, value={str(n): line["value"] for n, line in enumerate(lines)})


def w2_container_type_changed(bundle: Bundle) -> None:
    leaf(bundle, "/lines")["value"]["type"] = "object"


def w3_total_hidden(bundle: Bundle) -> None:
    evidence.hide(leaves(bundle), "/total_fen")


def w3_institution_hidden(bundle: Bundle) -> None:
    evidence.hide(leaves(bundle), "/institution_code")


def w3_lines_hidden(bundle: Bundle) -> None:
    evidence.hide(leaves(bundle), "/lines")


def root_container_hidden(bundle: Bundle) -> None:
    evidence.hide(leaves(bundle), "")


def w4_inner_node_as_leaf(bundle: Bundle) -> None:
    bundle["batch"].update(leaf_index=1, size=3, proof=bundle["batch"]["proof"][1:])


def w4_inner_node_as_hidden_leaf(bundle: Bundle) -> None:
    hashes = [ref.leaf_hash(b"a"), ref.leaf_hash(b"b")]
    leaves(bundle)[-2:] = [{"path": "/total_fen", "hash": ref.node(*hashes).hex()}]


def w8_unreferenced_disclosure(bundle: Bundle) -> None:
    leaves(bundle).append(copy.deepcopy(leaf(bundle, "/total_fen")))


def w9_duplicated_disclosure(bundle: Bundle) -> None:
    at = place(bundle, "/total_fen")
    leaves(bundle).insert(at, copy.deepcopy(leaves(bundle)[at]))


def leaf_without_slash(bundle: Bundle) -> None:
    leaf(bundle, "/total_fen")["path"] = "total_fen"


def path_in_second_spelling(bundle: Bundle) -> None:
    leaf(bundle, "/payer_name")["path"] = "/payer~2name"


def no_leaves(bundle: Bundle) -> None:
    bundle["invoice"]["leaves"] = []


def container_length_as_text(bundle: Bundle) -> None:
    leaf(bundle, "")["value"]["length"] = str(leaf(bundle, "")["value"]["length"])


def container_length_huge(bundle: Bundle) -> None:
    leaf(bundle, "/lines")["value"]["length"] = 2**50


def container_length_negative(bundle: Bundle) -> None:
    leaf(bundle, "/lines")["value"]["length"] = -1


def container_with_more(bundle: Bundle) -> None:
    leaf(bundle, "/lines")["value"]["more"] = 1


def field_with_array(bundle: Bundle) -> None:
    leaf(bundle, "/payer_name")["value"] = ["样本甲"]


def fingerprint_changed(bundle: Bundle) -> None:
    bundle["batch_leaf"]["fingerprint"] = "00" * 32


def other_institution(bundle: Bundle) -> None:
    bundle["batch_leaf"]["institution_code"] = "H33080300002"


def other_total(bundle: Bundle) -> None:
    bundle["batch_leaf"]["total_fen"] = 351


def other_borne(bundle: Bundle) -> None:
    bundle["batch_leaf"]["borne_fen"] = 0


def other_kind(bundle: Bundle) -> None:
    bundle["batch_leaf"]["kind"] = 2


def unknown_kind(bundle: Bundle) -> None:
    bundle["batch_leaf"]["kind"] = 9


def other_key_version(bundle: Bundle) -> None:
    bundle["batch_leaf"]["key_version"] = 2


def other_invoice_key(bundle: Bundle) -> None:
    bundle["batch_leaf"]["invoice_key"] = "11" * 32


def second_key_added(bundle: Bundle) -> None:
    bundle["batch_leaf"]["second_key"] = "11" * 32


def proof_node(bundle: Bundle) -> None:
    bundle["batch"]["proof"][0] = "11" * 32


def proof_truncated(bundle: Bundle) -> None:
    bundle["batch"]["proof"].pop()


def proof_extended(bundle: Bundle) -> None:
    bundle["batch"]["proof"].append("11" * 32)


def other_index(bundle: Bundle) -> None:
    bundle["batch"]["leaf_index"] = 3


def other_size(bundle: Bundle) -> None:
    bundle["batch"]["size"] = 4


def other_root(bundle: Bundle) -> None:
    bundle["batch"]["root"] = "11" * 32


def oversized_batch(bundle: Bundle) -> None:
    bundle["batch"]["size"] = 2000


def sequence_zero(bundle: Bundle) -> None:
    bundle["batch"]["sequence"] = 0


def decision_amount(bundle: Bundle) -> None:
    leaf(bundle, "/paid_fen", "decision")["value"] = 201


def decision_line(bundle: Bundle) -> None:
    leaf(bundle, "/lines/1", "decision")["value"]["paid_fen"] = 76


def decision_leaf_hidden(bundle: Bundle) -> None:
    evidence.hide(leaves(bundle, "decision"), "/claim_number")


def decision_fingerprint(bundle: Bundle) -> None:
    bundle["decision"]["fingerprint"] = "11" * 32


def closing_amount(bundle: Bundle) -> None:
    bundle["claim"]["closing"]["amount_fen"] = 201


def closing_version(bundle: Bundle) -> None:
    bundle["claim"]["closing"]["decision_version"] = 2


def closing_kind(bundle: Bundle) -> None:
    bundle["claim"]["closing"]["kind"] = "release"


def claim_counter(bundle: Bundle) -> None:
    bundle["claim"]["counter"] = 3


def claim_payer(bundle: Bundle) -> None:
    bundle["claim"]["payer_number"] = 5


def policy_hash(bundle: Bundle) -> None:
    bundle["policy"]["hash"] = "11" * 32


def policy_text(bundle: Bundle) -> None:
    bundle["policy"]["text"] = bundle["policy"]["text"].replace("75", "85")


def policy_text_reordered(bundle: Bundle) -> None:
    value = json.loads(bundle["policy"]["text"])
    bundle["policy"]["text"] = json.dumps(value, indent=1)


def other_institution_number(bundle: Bundle) -> None:
    bundle["batch"]["institution_number"] = 8


def other_sequence(bundle: Bundle) -> None:
    bundle["batch"]["sequence"] = 4


def other_previous_head(bundle: Bundle) -> None:
    bundle["batch"]["previous_head"] = "11" * 32


def anchor_transaction(bundle: Bundle) -> None:
    bundle["anchor"]["tx_hash"] = "11" * 32


def anchor_is_the_lodge(bundle: Bundle) -> None:
    bundle["anchor"].update(bundle["claim"]["lodge"])


def anchor_block(bundle: Bundle) -> None:
    bundle["anchor"]["block_number"] += 1


def anchor_block_hash(bundle: Bundle) -> None:
    bundle["anchor"]["block_hash"] = "11" * 32


def anchor_account(bundle: Bundle) -> None:
    bundle["anchor"]["account"] = "11" * 20


def custody_flag(bundle: Bundle) -> None:
    bundle["anchor"]["custody"] = "custodial"


def lodge_transaction(bundle: Bundle) -> None:
    bundle["claim"]["lodge"] = {
        name: bundle["claim"]["closing"][name] for name in bundle["claim"]["lodge"]
    }


def lodge_missing(bundle: Bundle) -> None:
    bundle["claim"]["lodge"]["tx_hash"] = "11" * 32


def closing_transaction(bundle: Bundle) -> None:
    bundle["claim"]["closing"].update(bundle["claim"]["lodge"])


Attack = Callable[[Bundle], None]

ATTACKS: dict[int, tuple[Attack, ...]] = {
    2: (
        header_field, total_fen, line_amount, line_removed, line_removed_and_counted, line_added,
        line_added_and_counted, lines_swapped, lines_swapped_with_salts_and_paths, salt_changed,
        salts_swapped, kind_changed, field_called_element, w1_field_added_with_extra_salt,
        w1_and_counted, w2_array_becomes_object, w2_container_type_changed, w3_lines_hidden,
        root_container_hidden, w4_inner_node_as_hidden_leaf, w8_unreferenced_disclosure,
        w9_duplicated_disclosure, leaf_without_slash, path_in_second_spelling, no_leaves,
        container_length_as_text, container_length_huge, container_length_negative,
        container_with_more, field_with_array, fingerprint_changed,
    ),
    3: (w3_total_hidden, w3_institution_hidden),
    4: (other_institution, other_total, other_borne, other_kind, unknown_kind),
    5: (other_invoice_key,),
    6: (
        w4_inner_node_as_leaf, second_key_added, proof_node, proof_truncated, proof_extended,
        other_index, other_size, other_root, other_key_version, oversized_batch,
    ),
    7: (sequence_zero,),
    8: (decision_amount, decision_line, decision_leaf_hidden, decision_fingerprint),
    9: (
        closing_amount, closing_version, closing_kind, claim_counter, claim_payer, policy_hash,
    ),
    10: (policy_text, policy_text_reordered),
    13: (
        other_institution_number, other_sequence, other_previous_head, anchor_transaction,
        anchor_is_the_lodge, anchor_block, anchor_block_hash, anchor_account,
    ),
    14: (custody_flag,),
    15: (lodge_transaction, lodge_missing),
    16: (closing_transaction,),
}  # fmt: skip

CASES = [(check, attack) for check, attacks in ATTACKS.items() for attack in attacks]


@pytest.mark.parametrize(
    ("check", "attack"), CASES, ids=[f"{check}-{attack.__name__}" for check, attack in CASES]
)
def test_tampered_bundle_is_refuted_by_the_named_check(check: int, attack: Attack) -> None:
    bundle = STORY.bundle()
    attack(bundle)
    report = verify(bundle)
    assert report.verdict is Verdict.REFUTED
    assert first_failure(report) == check
    with pytest.raises(RefutedError, match=f"check {check}: "):
        report.raise_for_verdict()


@pytest.mark.parametrize("closing", ["settle", "release"])
def test_untouched_bundle_is_verified(closing: str) -> None:
    story = Story(closing=closing)
    report = verify(story.bundle(), story)
    assert report.verdict is Verdict.VERIFIED
    assert {result.status for result in report.results} == {Status.OK}
    assert report.custody == "self-custody"
    report.raise_for_verdict()


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str | int]]:
    """Every text and integer inside a value, with the way to it."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from texts(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from texts(member, (*path, index))
    else:
        yield path, value


def changes(value: str | int) -> Iterator[str | int]:
    """``value`` with each of its characters in turn replaced by another valid one."""
    text = str(value)
    for at, character in enumerate(text):
        other = ("2" if character == "1" else "1") if character.isdigit() else "Q"
        changed = text[:at] + other + text[at + 1 :]
        if isinstance(value, str):
            yield changed
        elif changed.lstrip("-").isdigit() and str(int(changed)) == changed:
            yield int(changed)


def test_every_character_of_every_disclosed_value_counts() -> None:
    count = 0
    honest = STORY.bundle()
    for record, check in (("invoice", 2), ("decision", 8)):
        entries = honest[record]["leaves"]
        for entry in entries:
            for path, value in list(texts(entry["value"])):
                for changed in changes(value):
                    target = entry
                    inner = ("value", *path)
                    for step in inner[:-1]:
                        target = target[step]
                    target[inner[-1]] = changed
                    report = offline(honest)
                    target[inner[-1]] = value
                    assert report.verdict is Verdict.REFUTED
                    assert first_failure(report) == check
                    count += 1
    assert count > 500


TRUST = parse_trust(evidence.text(STORY.trust()))


def offline(bundle: Bundle) -> Report:
    return verify_bundle(parse_bundle(evidence.text(bundle)), TRUST)


def test_every_bit_of_salts_and_batch_hashes_counts() -> None:
    bundle = STORY.bundle()
    for bit in range(0, 256, 3):
        for target, name in (
            (leaf(bundle, "/total_fen"), "salt"),
            (leaf(bundle, "/lines/1", "decision"), "salt"),
            (bundle["batch"], "root"),
            (bundle["batch_leaf"], "fingerprint"),
            (bundle["batch_leaf"], "invoice_key"),
            (bundle["decision"], "fingerprint"),
            (bundle["policy"], "hash"),
        ):
            honest = target[name]
            target[name] = f"{int(honest, 16) ^ 1 << bit:064x}"
            assert offline(bundle).verdict is Verdict.REFUTED
            target[name] = honest
    assert offline(bundle).verdict is Verdict.UNDECIDED


def test_mutated_bytes_are_never_verified() -> None:
    """Single-byte changes of the whole file: malformed, refuted or undecided, never verified.

    A change that leaves the same JSON value cannot be told from the honest file: none of the
    characters tried here makes one.
    """
    data = evidence.text(STORY.bundle())
    trust, node = parse_trust(evidence.text(STORY.trust())), STORY.node()
    for at in range(0, len(data), 29):
        changed = data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :]
        try:
            report = verify_bundle(parse_bundle(changed), trust, node)
        except MalformedError:
            continue
        assert report.verdict is Verdict.REFUTED, data[at - 20 : at + 20]
