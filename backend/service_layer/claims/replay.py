"""Replay: a stored decision worked out again from its stored inputs, and nothing else.

Inputs are the decision's own snapshots of person and history, the policy pack and the catalogue by
their digests, the stored bill, and the rulings in the decision. Clock, register, today's packs and
other claims have no part in it. What was changed behind the application's back is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from backend.domain.adjudication import adjudicate
from backend.domain.bill import bill_from_invoice
from backend.domain.catalogue import Catalogue, parse_catalogue
from backend.domain.decision_record import parse_decision_record
from backend.domain.errors import DomainError, NotFoundError
from backend.domain.explanation import DecisionContext, ExplanationOfBenefits, Outcome
from backend.domain.invoice import Invoice
from backend.domain.person import History, PersonSnapshot, parse_history, parse_person
from backend.domain.policy import PolicyError, PolicyPack
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.remote_care import derive_remote_status, is_emergency
from backend.domain.unruled import explain_without_rules
from backend.service_layer.claims.benefits import DAMAGE, read_record
from backend.service_layer.claims.decide import as_decided
from backend.service_layer.claims.no_rule import UNKNOWN_STATUS
from backend.service_layer.claims.ports import ClaimServices, ClaimWork
from backend.service_layer.claims.records import Claim, Decision, StoredBill
from verifier.commitment.canonical import canonical_bytes, parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.errors import VerificationError

DIFFERENCES_MAX: Final = 100
"""Differences that are named; a decision with more of them is another decision."""

UNREADABLE: Final = (DomainError, VerificationError, *DAMAGE)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what is stored is not what its inputs give: an input that was changed, or a JSON path
    of the record."""

    where: str
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Replay:
    """``differences`` is empty when the same inputs gave the same record, to the fen. ``notes``
    tell what the register of institutions says otherwise today; that may have changed lawfully."""

    claim_number: str
    version: int
    paid_fen: int
    differences: tuple[Difference, ...]
    notes: tuple[Difference, ...] = ()

    @property
    def is_same(self) -> bool:
        return not self.differences


@dataclass(slots=True)
class Findings:
    """What was found so far; ``add`` keeps the first DIFFERENCES_MAX."""

    found: list[Difference] = field(default_factory=list)
    notes: list[Difference] = field(default_factory=list)

    def add(self, where: str, stored: object, recomputed: object) -> None:
        if len(self.found) < DIFFERENCES_MAX:
            self.found.append(Difference(where, _short(stored), _short(recomputed)))

    def compare(self, where: str, stored: object, recomputed: object) -> None:
        if stored != recomputed:
            self.add(where, stored, recomputed)


def _short(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 120 else text[:117] + "..."


def replay_decision(deps: ClaimServices, number: str, version: int | None = None) -> Replay:
    """Replay the decision ``version`` of a claim (None: the newest).

    Raises NotFoundError when there is no such claim or version; whatever else is wrong is a
    difference, never an exception.
    """
    with deps.work(write=False) as work:
        claim = work.claims.by_number(number)
        versions = work.decisions.versions_of(claim.id)
        wanted = [one for one in versions if version in (None, one.version)]
        if not wanted:
            raise NotFoundError(
                f"{number} 没有第 {version or 1} 版决定", f"{number} has no such decision version"
            )
        decision = wanted[-1]
        findings = Findings()
        try:
            _replay(deps, work, claim, decision, findings)
        except UNREADABLE as error:
            findings.add("replay", "stored inputs", told(error))
    return Replay(
        number,
        decision.version,
        decision.paid_fen,
        tuple(findings.found),
        tuple(findings.notes),
    )


def told(error: BaseException) -> str:
    """An error in one line, for a difference."""
    return error.en if isinstance(error, DomainError) else f"{type(error).__name__}: {error}"


def _replay(
    deps: ClaimServices, work: ClaimWork, claim: Claim, decision: Decision, findings: Findings
) -> None:
    record = parse_canonical(decision.explanation.encode())
    assert isinstance(record, dict), "a decision record is an object"
    _check_row(deps, decision, record, findings)
    # Its own arithmetic first: a record that does not balance is named even if all else is lost.
    eob, context = parse_stored(record, findings)
    person = check_snapshot(
        decision.person_snapshot, str(record["person_snapshot"]), "person", findings
    )
    history = check_snapshot(
        decision.history_snapshot, str(record["history_snapshot"]), "history", findings
    )
    bill = work.claims.bill_of_version(claim.version_id)
    invoice = _invoice(deps, work, bill, record, findings)
    pack = _pack(deps, work, decision, findings)
    if invoice is None or pack is None or eob is None or context is None:
        return
    inputs = Inputs(pack, invoice, bill.invoice_key, parse_person(person), parse_history(history))
    again = work_out(inputs, eob, decision.outcome, decision.reason)
    compare_records("", record, again.to_record(context), findings)
    _note_hospital(inputs, bill, eob, findings)


def _check_row(
    deps: ClaimServices, decision: Decision, record: dict[str, Any], findings: Findings
) -> None:
    """The decision's columns against the record that they are of, and its fingerprint."""
    findings.compare("decision.paid_fen", decision.paid_fen, record.get("paid_fen"))
    findings.compare("decision.outcome", decision.outcome, record.get("outcome"))
    findings.compare("decision.version", decision.version, record.get("decision_version"))
    findings.compare("decision.policy_hash", decision.policy_hash.hex(), record.get("policy_hash"))
    if decision.wrapped_secret is None:
        return  # erased: the fingerprint can no longer be opened by anyone
    secret = deps.secret_box.unwrap(decision.wrapped_secret, decision.id)
    computed = compute_fingerprint(record, secret)
    findings.compare("decision.fingerprint", decision.fingerprint, computed)


def parse_stored(
    record: dict[str, Any], findings: Findings
) -> tuple[ExplanationOfBenefits | None, DecisionContext | None]:
    """Explanation and context of a record, Nones when it is none or does not balance."""
    try:
        return parse_decision_record(record)
    except DomainError as error:
        findings.add("explanation", "stored record", error.en)
        return None, None


def check_snapshot(text: str, digest: str, what: str, findings: Findings) -> Any:
    """The value in ``text``, its digest compared with the one in the record."""
    value = parse_canonical(text.encode())
    found = hashlib.sha256(canonical_bytes(value)).hexdigest()
    findings.compare(f"{what} snapshot", digest, found)
    return value


def _invoice(
    deps: ClaimServices,
    work: ClaimWork,
    bill: StoredBill,
    record: dict[str, Any],
    findings: Findings,
) -> Invoice | None:
    findings.compare("invoice.fingerprint", record["invoice_fingerprint"], bill.fingerprint.hex())
    stored = read_record(work, bill)
    if bill.wrapped_secret is not None:
        secret = deps.secret_box.unwrap(bill.wrapped_secret, bill.version_id)
        findings.compare("invoice", bill.fingerprint, compute_fingerprint(stored, secret))
    try:
        return Invoice.from_record(stored)
    except UNREADABLE as error:
        findings.add("invoice", "stored record", told(error))
        return None


def _pack(
    deps: ClaimServices, work: ClaimWork, decision: Decision, findings: Findings
) -> PolicyPack | None:
    """The pack with its catalogue, both by digest; kept with the decision, else as shipped."""

    def catalogue_text(digest: bytes) -> str | None:
        found = work.register.catalogue_text(digest)
        return found if found is not None else deps.rule_documents.catalogue_text(digest)

    # What is kept comes first even when it was changed: that is to be named, not healed.
    text = work.decisions.policy_document(decision.policy_hash)
    if text is None:
        text = deps.rule_documents.pack_text(decision.policy_hash)
    return read_rules(decision.policy_hash, text, catalogue_text, findings)


def read_rules(
    policy_hash: bytes,
    text: str | None,
    catalogue_text: Callable[[bytes], str | None],
    findings: Findings,
) -> PolicyPack | None:
    """The pack in ``text`` with the catalogue that it names, each compared with its digest."""
    if text is None:
        findings.add("policy", policy_hash, "no document with this hash is kept")
        return None
    value = json.loads(text)
    findings.compare("policy", policy_hash, hashlib.sha256(text.encode()).digest())
    named = value.get("catalogue", {}).get("sha256", "")
    catalogue: Catalogue | None = None
    if named:
        digest = bytes.fromhex(named)
        found = catalogue_text(digest)
        if found is None:
            findings.add("catalogue", named, "no document with this digest is kept")
            return None
        findings.compare("catalogue", digest, hashlib.sha256(found.encode()).digest())
        catalogue = parse_catalogue(json.loads(found))
    return parse_policy_pack(value, catalogue)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that an amount depends on."""

    pack: PolicyPack
    invoice: Invoice
    invoice_key: bytes
    person: PersonSnapshot
    history: History


def work_out(
    inputs: Inputs, stored: ExplanationOfBenefits, outcome: str, reason: str
) -> ExplanationOfBenefits:
    """The explanation that the inputs give. Level and place of the hospital are inputs of their
    own: as the register of institutions had them then, which stands in the record. ``outcome``
    and ``reason`` are the decision's: a person may have refused what the policy would pay."""
    view = bill_from_invoice(
        inputs.invoice,
        invoice_key=inputs.invoice_key,
        hospital_level=stored.hospital_level,
        remote_status=stored.remote_status,
    )
    try:
        eob = adjudicate(inputs.pack, view, inputs.person, inputs.history, stored.rulings)
    except PolicyError:
        eob = explain_without_rules(inputs.pack, view, inputs.person, inputs.history)
    is_refused = outcome == Outcome.REFUSED
    return as_decided(eob, outcome if is_refused else str(eob.outcome), reason)


def _note_hospital(
    inputs: Inputs, bill: StoredBill, stored: ExplanationOfBenefits, findings: Findings
) -> None:
    """Say where the hospital's level or area today would give something else."""
    today = {"hospital_level": str(bill.hospital_level)}
    try:
        today["remote_status"] = derive_remote_status(
            inputs.pack,
            inputs.person,
            bill.hospital_area,
            inputs.invoice.service_on,
            is_emergency(inputs.invoice),
        )
    except PolicyError:
        today["remote_status"] = UNKNOWN_STATUS
    for name, value in today.items():
        if str(getattr(stored, name)) != value:
            findings.notes.append(Difference(name, str(getattr(stored, name)), value))


def compare_records(path: str, stored: Any, again: Any, findings: Findings) -> None:
    """Name every leaf in which two records differ."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for name in sorted({*stored, *again}):
            compare_records(f"{path}/{name}", stored.get(name), again.get(name), findings)
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            compare_records(f"{path}/{index}", one, other, findings)
    else:
        findings.compare(path or "/", stored, again)


def replay_all(deps: ClaimServices) -> Iterator[Replay]:
    """Replay every decision version of every claim, in the order of the claims' numbers."""
    with deps.work(write=False) as work:
        versions = work.decisions.all_versions()
    for number, version in versions:
        yield replay_decision(deps, number, version)
