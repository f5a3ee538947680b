"""From a checked document to the rows that are stored: record, secret, fingerprint, key, kind."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass

from backend.domain.invoice import Invoice
from backend.service_layer.intake.document import ParsedInvoice
from backend.service_layer.intake.errors import FingerprintMismatchError, SecretError
from backend.service_layer.intake.faults import InvalidInvoiceError
from backend.service_layer.intake.ports import (
    CONTENT_PURPOSE,
    PAYER_ID_PURPOSE,
    Catalogue,
    IntakeServices,
)
from backend.service_layer.intake.records import (
    KEY_VERSION,
    NO_KEY,
    Institution,
    InvoiceState,
    StoredInvoice,
    StoredVersion,
)
from backend.service_layer.intake.validation import find_faults
from verifier.commitment.batch import RecordKind
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint
from verifier.commitment.invoice_key import compute_invoice_key

SECRET_BYTES = 32
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Upload:
    """What came in: the parsed document, its bytes, and the self-custody agent's hash."""

    parsed: ParsedInvoice
    document: bytes
    secret: bytes | None = None
    fingerprint: bytes | None = None

    def __repr__(self) -> str:  # a secret or a document must not reach a log by accident
        return f"Upload({self.parsed.source_format}, {len(self.document)} bytes)"


@dataclass(frozen=True, slots=True)
class Draft:
    """A bill ready to be stored."""

    invoice: Invoice
    stored: StoredInvoice
    version: StoredVersion
    lines: tuple[str, ...]


def check_document(deps: IntakeServices, upload: Upload, institution: Institution) -> Invoice:
    """The invoice; raises InvalidInvoiceError with every fault of the document."""
    faults = find_faults(upload.parsed, institution, deps.clock.now())
    if faults:
        raise InvalidInvoiceError(faults)
    return upload.parsed.invoice


def draft(deps: IntakeServices, upload: Upload, institution: Institution) -> Draft:
    """Everything that can be computed before the database is asked.

    Raises InvalidInvoiceError, SecretError, FingerprintMismatchError.
    """
    invoice = check_document(deps, upload, institution)
    record = invoice.to_record()
    secret, fingerprint = _commit(deps, upload, institution, record)
    lines = tuple(canonical_bytes(line).decode() for line in record.pop("lines"))
    now = deps.clock.now()
    version_id = deps.ids.new_id("ver")
    stored = StoredInvoice(
        id=deps.ids.new_id("inv"),
        institution_code=institution.code,
        invoice_code=invoice.invoice_code,
        invoice_number=invoice.invoice_number,
        invoice_key=compute_invoice_key(
            deps.network_key, invoice.invoice_code, invoice.invoice_number
        ),
        second_key=_second_key(deps.network_key, invoice),
        key_version=KEY_VERSION,
        kind=int(kind_of(invoice)),
        state=InvoiceState.ACTIVE,
        current_version=1,
        payer_id_lookup=deps.secret_box.lookup(PAYER_ID_PURPOSE, invoice.payer_id),
        public_token=secrets.token_urlsafe(_TOKEN_BYTES),
        original_id=None,
        created_at=now,
    )
    version = StoredVersion(
        id=version_id,
        invoice_id=stored.id,
        version=1,
        header=canonical_bytes(record).decode(),
        line_count=len(lines),
        total_fen=invoice.total_fen,
        borne_fen=invoice.borne_fen,
        service_on=invoice.service_on,
        fingerprint=fingerprint,
        wrapped_secret=deps.secret_box.wrap(secret, version_id),
        content_digest=content_digest(deps, invoice),
        source_format=upload.parsed.source_format,
        source_document=upload.document,
        marks=json.dumps(marks_of(invoice, deps.catalogue)),
        uploaded_at=now,
    )
    return Draft(invoice, stored, version, lines)


def content_digest(deps: IntakeServices, invoice: Invoice) -> bytes:
    """A keyed hash of the record: equal content has equal digests, whatever its secret."""
    text = canonical_bytes(invoice.to_record()).decode()
    return deps.secret_box.lookup(CONTENT_PURPOSE, text)


def kind_of(invoice: Invoice) -> RecordKind:
    if invoice.is_red:
        return RecordKind.RED
    return RecordKind.SETTLED if invoice.is_settled_online else RecordKind.CLAIMABLE


def marks_of(invoice: Invoice, catalogue: Catalogue) -> list[dict[str, object]]:
    """What a person must look at later; accepted all the same (domain reference 7)."""
    marks: list[dict[str, object]] = []
    for index, line in enumerate(invoice.lines):
        code = line.catalogue_code
        if not code:
            marks.append({"code": "missing-catalogue-code", "line_index": index})
        elif not _is_known(catalogue, code, invoice):
            marks.append({"code": "unknown-catalogue-code", "line_index": index})
    return marks


def _is_known(catalogue: Catalogue, code: str, invoice: Invoice) -> bool:
    day = invoice.service_on
    return catalogue.find(code, day) is not None or catalogue.find_negative(code, day) is not None


def _second_key(network_key: bytes, invoice: Invoice) -> bytes:
    if not invoice.second_number:
        return NO_KEY
    return compute_invoice_key(network_key, invoice.second_number_code, invoice.second_number)


def _commit(
    deps: IntakeServices, upload: Upload, institution: Institution, record: dict[str, object]
) -> tuple[bytes, bytes]:
    """The secret and the fingerprint: the agent's, recomputed, or our own for a custodial one."""
    if not institution.is_self_custody:
        if upload.secret is not None or upload.fingerprint is not None:
            raise SecretError(
                "本机构为托管方式，密钥由平台生成，请不要随票据上送",
                "this institution is custodial: the secret is made here; do not send one",
            )
        secret = deps.ids.new_secret()
        return secret, compute_fingerprint(record, secret)  # type: ignore[arg-type]
    if upload.secret is None or upload.fingerprint is None:
        raise SecretError(
            "自持密钥的机构须随票据上送密钥和指纹（Yichu-Invoice-Secret、Yichu-Fingerprint）",
            "a self-custody institution sends the invoice secret and the fingerprint with the "
            "bill (headers Yichu-Invoice-Secret and Yichu-Fingerprint)",
        )
    if len(upload.secret) != SECRET_BYTES or upload.secret == bytes(SECRET_BYTES):
        raise SecretError("密钥应为 32 个随机字节", "an invoice secret is 32 random bytes")
    computed = compute_fingerprint(record, upload.secret)  # type: ignore[arg-type]
    if not hmac.compare_digest(computed, upload.fingerprint):
        raise FingerprintMismatchError
    return upload.secret, computed
