"""Replay of a decision from an evidence bundle, without database or ledger.

A bundle (verifier/SPEC.md B1) opens the bill, the decision and the policy pack. It does not hold
the snapshots of person and history, which open other claims of the person, nor the catalogue:
these come in a file of their own, that is given only to whom it concerns, and are checked against
the digests in the decision's record. Whether the bundle is genuine is for ``yichu-verify`` to say.
"""

from __future__ import annotations

from typing import Any, Final

from backend.domain.errors import NotFoundError
from backend.domain.invoice import Invoice
from backend.domain.person import parse_history, parse_person
from backend.domain.record_reader import MalformedDataError
from backend.service_layer.claims.ports import ClaimServices
from backend.service_layer.claims.replay import (
    UNREADABLE,
    Findings,
    Inputs,
    Replay,
    check_snapshot,
    compare_records,
    parse_stored,
    read_rules,
    told,
    work_out,
)
from verifier.commitment.canonical import canonical_bytes, parse_canonical
from verifier.commitment.leaves import LeafKind

INPUTS_FORMAT: Final = "yichu-replay-inputs-1"
BY_PERSON: Final = "reviewer-refused"
"""The rule under which a person's refusal stands on every line of a record."""

_REFUSAL_MARK: Final = "整笔申请不予报销："


def replay_inputs(deps: ClaimServices, number: str, version: int | None = None) -> dict[str, Any]:
    """What a bundle does not hold: person and history snapshots and the catalogue, as they are
    stored with the decision. Raises NotFoundError for an unknown claim or version."""
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        wanted = [
            one for one in work.decisions.versions_of(claim.id) if version in (None, one.version)
        ]
        if not wanted:
            raise NotFoundError(f"{number} 没有这版决定", f"{number} has no such decision version")
        decision = wanted[-1]
        text = work.decisions.policy_document(decision.policy_hash)
        if text is None:
            text = deps.rule_documents.pack_text(decision.policy_hash) or "{}"
        named = _catalogue_digest(parse_canonical(text.encode()))
        catalogue = None
        if named:
            catalogue = work.register.catalogue_text(named)
            catalogue = catalogue or deps.rule_documents.catalogue_text(named)
    return {
        "format": INPUTS_FORMAT,
        "claim_number": number,
        "decision_version": decision.version,
        "person": parse_canonical(decision.person_snapshot.encode()),
        "history": parse_canonical(decision.history_snapshot.encode()),
        "catalogue": catalogue or "",
    }


def _catalogue_digest(pack: Any) -> bytes:
    return bytes.fromhex(pack.get("catalogue", {}).get("sha256", ""))


def replay_bundle(bundle: Any, inputs: Any) -> Replay:
    """Work a decision version of the bundle, the one that ``inputs`` is of, out again.

    Raises :class:`MalformedDataError` when either is not such a file; everything else that is
    wrong is a difference.
    """
    if not isinstance(inputs, dict) or inputs.get("format") != INPUTS_FORMAT:
        raise _malformed("REPLAY INPUTS", "format")
    try:
        shown = _version_of(bundle, inputs["decision_version"])
        record = record_of(shown["decision"]["leaves"])
        invoice_record = record_of(bundle["invoice"]["leaves"])
        key = bytes.fromhex(bundle["batch_leaf"]["invoice_key"])
        fingerprint = bundle["batch_leaf"]["fingerprint"]
        policy_hash = bytes.fromhex(shown["policy"]["hash"])
        policy_text = shown["policy"]["text"]
        number, version = record["claim_number"], record["decision_version"]
        paid_fen = int(record["paid_fen"])
    except (LookupError, TypeError, ValueError) as error:
        raise _malformed("BUNDLE", type(error).__name__) from error
    findings = Findings()
    findings.compare("invoice.fingerprint", record.get("invoice_fingerprint"), fingerprint)
    findings.compare("policy.hash", record.get("policy_hash"), policy_hash.hex())
    try:
        eob, context = parse_stored(record, findings)
        person = check_snapshot(
            canonical_bytes(inputs["person"]).decode(), record["person_snapshot"], "person",
            findings,
        )  # fmt: skip
        history = check_snapshot(
            canonical_bytes(inputs["history"]).decode(), record["history_snapshot"], "history",
            findings,
        )  # fmt: skip
        pack = read_rules(policy_hash, policy_text, lambda _: inputs["catalogue"] or None, findings)
        if eob is not None and context is not None and pack is not None:
            known = Inputs(
                pack, Invoice.from_record(invoice_record), key,
                parse_person(person), parse_history(history),
            )  # fmt: skip
            outcome, reason = _refusal(record)
            again = work_out(known, eob, outcome, reason)
            compare_records("", record, again.to_record(context), findings)
    except UNREADABLE as error:
        findings.add("replay", "bundle and inputs", told(error))
    return Replay(number, version, paid_fen, tuple(findings.found))


def _version_of(bundle: Any, version: int) -> Any:
    """The object that holds decision and policy of a version: the bundle itself for the closing,
    an entry of format 2 for another. LookupError when the bundle does not show it."""
    if bundle["claim"]["closing"]["decision_version"] == version:
        return bundle
    for entry in (*bundle.get("earlier", ()), *bundle.get("later", ())):
        if entry["decision_version"] == version:
            return entry
    raise LookupError(version)


def _refusal(record: dict[str, Any]) -> tuple[str, str]:
    """Outcome and reason of a decision by a person, as its record states them on every line; else
    what the policy gives stands."""
    for line in record["lines"]:
        for cut in line["adjustments"]:
            if cut["rule_id"] == BY_PERSON:
                return "refused", cut["basis_zh"].removeprefix(_REFUSAL_MARK)
    return "", ""


def record_of(leaves: Any) -> dict[str, Any]:
    """The record whose open leaves these are, in tree order (SPEC.md A2)."""
    record: dict[str, Any] = {}
    for leaf in leaves:
        path, kind, value = leaf["path"], LeafKind(leaf["kind"]), leaf["value"]
        name, _, _ = path.removeprefix("/").partition("/")
        name = name.replace("~1", "/").replace("~0", "~")
        if kind is LeafKind.FIELD:
            record[name] = value
        elif kind is LeafKind.ELEMENT:
            record[name].append(value)
        elif path:
            record[name] = []
    return record


def _malformed(what: str, detail: str) -> MalformedDataError:
    return MalformedDataError(what, (("", f"不是这样的文件（{detail}）", f"is none: {detail}"),))
