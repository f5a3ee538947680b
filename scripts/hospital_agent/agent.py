"""The agent itself: one keep-alive connection pool, one ledger key, one small store."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from backend.adapters.einvoice.json_reader import parse_json_invoice
from backend.adapters.einvoice.xml_reader import parse_fiscal_xml
from backend.adapters.ledger.transactions import sign
from backend.domain.invoice import Invoice
from scripts.hospital_agent.checks import Pinned, check_offer, head_of_anchor
from scripts.hospital_agent.store import AgentStore, OwnDocument
from verifier.commitment.batch import RecordKind
from verifier.commitment.canonical import canonical_bytes
from verifier.commitment.fingerprint import compute_fingerprint

TIMEOUT_SECONDS: Final = 60
POOL_SIZE: Final = 8


class AgentError(Exception):
    """The backend refused or did something unexpected. ``problem`` is its RFC 9457 body."""

    def __init__(self, message: str, status: int = 0, problem: Mapping[str, Any] | None = None):
        super().__init__(message)
        self.status = status
        self.problem = dict(problem or {})

    @property
    def code(self) -> str:
        return str(self.problem.get("code", ""))


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, parsed."""

    status: int
    body: dict[str, Any]


class Transport(Protocol):
    """How requests are made; tests put the application's own client in its place."""

    def __call__(
        self, method: str, path: str, *, data: bytes | None, headers: dict[str, str]
    ) -> Answer: ...


class HTTPTransport:
    """HTTP with keep-alive; safe to use from several threads."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.trust_env = False

    def __call__(
        self, method: str, path: str, *, data: bytes | None, headers: dict[str, str]
    ) -> Answer:
        try:
            answer = self._session.request(
                method, self._base_url + path, data=data, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise AgentError(
                f"后台没有应答，请检查地址和网络：{self._base_url} / "
                f"the backend did not answer at {self._base_url}"
            ) from error
        try:
            body = answer.json() if answer.content else {}
        except ValueError as error:
            raise AgentError(
                f"{self._base_url} 的回答不是 JSON，请检查地址 / "
                "the backend answered no JSON; check the address",
                answer.status_code,
            ) from error
        if not isinstance(body, dict):
            raise AgentError(
                "后台的回答无法识别 / the backend answered no JSON object", answer.status_code
            )
        return Answer(answer.status_code, body)


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of one upload. ``created`` is false when the content was there before."""

    invoice_id: str
    created: bool
    body: dict[str, Any]


class HospitalAgent:
    """``ledger_key`` is the 32-byte private key, None for a custodial institution.

    ``chain_id`` and ``contract`` are pinned: the hospital has them from the network's operator
    out of band, never from an offer.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        ledger_key: bytes | None = None,
        store: AgentStore | None = None,
        *,
        chain_id: int | None = None,
        contract: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or HTTPTransport(base_url)
        self._api_key = api_key
        self._ledger_key = ledger_key
        self._chain_id = chain_id
        self._contract = contract
        self.store = store or AgentStore(":memory:")

    # --- bills --------------------------------------------------------------------------------

    def upload(self, document: bytes, content_type: str) -> UploadOutcome:
        """Upload a bill (``application/json`` or ``application/xml``). Safe to repeat."""
        return self._submit("/v1/invoices", document, content_type)

    def correct(
        self, invoice_id: str, document: bytes, content_type: str, replaces: int | None = None
    ) -> UploadOutcome:
        """Upload corrected content of a bill. ``replaces`` names the present version: content that
        an earlier version had is taken in no other way."""
        path = f"/v1/invoices/{invoice_id}/corrections"
        named = {} if replaces is None else {"Yichu-Replaces": str(replaces)}
        return self._submit(path, document, content_type, named)

    def void(self, invoice_id: str, reason: str = "other") -> dict[str, Any]:
        """Void a bill; the agent will later sign the ledger's ``void`` for this number only."""
        bill = self.status(invoice_id)
        self.store.wish("void", bill["EinvoiceCode"], bill["EinvoiceNumber"])
        body = canonical_bytes({"reason": reason})
        return self._call("POST", f"/v1/invoices/{invoice_id}/void", body, "application/json").body

    def status(self, invoice_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/invoices/{invoice_id}").body

    def proof(self, invoice_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/invoices/{invoice_id}/proof").body

    def institution(self) -> dict[str, Any]:
        return self._call("GET", "/v1/institution").body

    def _submit(
        self, path: str, document: bytes, content_type: str, named: Mapping[str, str] | None = None
    ) -> UploadOutcome:
        invoice = read_document(document, content_type)
        headers = dict(named or {})
        own: OwnDocument | None = None
        if self._ledger_key is not None:
            own = self._commit(invoice)
            headers["Yichu-Invoice-Secret"] = base64.b64encode(own.secret).decode()
            headers["Yichu-Fingerprint"] = own.fingerprint.hex()
        answer = self._call("POST", path, document, content_type, headers)
        body = answer.body
        if own is not None:
            self._acknowledge(own, body)
        return UploadOutcome(body["id"], answer.status == 201, body)

    def _commit(self, invoice: Invoice) -> OwnDocument:
        """Secret and fingerprint of this content, made once and kept before they are sent."""
        record = invoice.to_record()
        digest = hashlib.sha256(canonical_bytes(record)).digest()
        code, number = invoice.invoice_code, invoice.invoice_number
        kept = self.store.find(code, number, digest)
        if kept is not None:
            return kept
        secret = secrets.token_bytes(32)
        if invoice.is_red:
            kind = RecordKind.RED
        else:
            kind = RecordKind.SETTLED if invoice.is_settled_online else RecordKind.CLAIMABLE
        document = OwnDocument(
            code=code,
            number=number,
            content_digest=digest,
            secret=secret,
            fingerprint=compute_fingerprint(record, secret),
            kind=int(kind),
            total_fen=max(invoice.total_fen, 0),
            borne_fen=invoice.borne_fen,
            second_code=invoice.second_number_code,
            second_number=invoice.second_number,
            original_code=invoice.related_invoice_code,
            original_number=invoice.related_invoice_number,
        )
        self.store.add(document)
        # Two threads may have made one each: the one that was stored first counts.
        return self.store.find(code, number, digest) or document

    def _acknowledge(self, own: OwnDocument, body: Mapping[str, Any]) -> None:
        key = bytes.fromhex(body["invoice_key"])
        if self.store.keep_pair(own.code, own.number, key) != key:
            raise AgentError(
                "后台对同一号码给出了另一个票据键 / "
                "the backend answered another invoice key for the same number"
            )
        if body["fingerprint"] == own.fingerprint.hex():
            self.store.acknowledge(own, body["id"], int(body["version"]))

    # --- findings -----------------------------------------------------------------------------

    def findings(self) -> Iterator[dict[str, Any]]:
        """What concerns this hospital, in the order in which it was opened, page by page."""
        after = ""
        while True:
            page = self._call("GET", f"/v1/findings?after={quote(after, safe='')}").body
            yield from page["findings"]
            if not page["has_more"]:
                return
            after = str(page["next"])

    def finding(self, finding_id: str) -> dict[str, Any]:
        return self._call("GET", f"/v1/findings/{quote(finding_id, safe='')}").body

    def state(
        self, finding_id: str, word: str, text: str, attachments: Sequence[Mapping[str, str]] = ()
    ) -> dict[str, Any]:
        """Send the answer or the appeal (``word``), once; the same again is the one there is."""
        body = {"text": text, "attachments": [dict(one) for one in attachments]}
        path = f"/v1/findings/{quote(finding_id, safe='')}/{word}"
        data = json.dumps(body, ensure_ascii=False).encode()
        return self._call("POST", path, data, "application/json").body

    # --- the ledger ---------------------------------------------------------------------------

    def next_offer(self) -> dict[str, Any] | None:
        """The transaction that waits for our signature, None when there is none."""
        answer = self._call("GET", "/v1/signing-offers/next")
        return None if answer.status == 204 else answer.body

    def sign_next(self) -> str | None:
        """Check the waiting transaction, sign it and hand it in; returns its hash.

        None when nothing waits. Raises OfferRefusedError, and then nothing was signed.
        """
        if self._ledger_key is None:
            return None
        offer = self.next_offer()
        if offer is None:
            return None
        pinned = self.pinned()
        signed = sign(check_offer(offer, pinned, self.store), self._ledger_key)
        if signed.sender.lower() != pinned.account.lower():
            raise AgentError(
                "本院密钥不是登记的账户 / our key is not that of the registered account"
            )
        if offer["kind"] == "anchor":
            self.store.set_head(*head_of_anchor(offer, pinned))
        body = canonical_bytes({"raw": signed.raw.hex()})
        path = f"/v1/signing-offers/{offer['id']}/raw-transaction"
        return str(self._call("POST", path, body, "application/json").body["tx_hash"])

    @property
    def can_sign(self) -> bool:
        return self._ledger_key is not None

    def pinned(self) -> Pinned:
        """The pinned chain and contract, with our own registration."""
        if self._chain_id is None or self._contract is None:
            raise AgentError(
                "签名前请用 --network 指定网络 / "
                "pin the chain id and the contract address before signing (--network)"
            )
        own = self.institution()
        if own["ledger_number"] is None or own["ledger_account"] is None:
            raise AgentError(
                "本机构尚未在账本登记 / this institution is not registered on the ledger yet"
            )
        return Pinned(
            institution_code=own["AgencyCode"],
            institution_number=own["ledger_number"],
            chain_id=self._chain_id,
            contract=self._contract,
            account=own["ledger_account"],
        )

    def _call(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        content_type: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._api_key}", **(more or {})}
        if content_type:
            headers["Content-Type"] = content_type
        answer = self._transport(method, path, data=data, headers=headers)
        if answer.status >= 400:
            details = [answer.body.get(name) for name in ("detail", "detail_en")]
            text = " / ".join(str(detail) for detail in details if detail)
            raise AgentError(f"{answer.status} {text}", answer.status, answer.body)
        return answer


def read_document(document: bytes, content_type: str) -> Invoice:
    """Our own document as an invoice; raises InvalidInvoiceError when it cannot be read."""
    is_json = content_type.split(";", maxsplit=1)[0].strip() == "application/json"
    parsed = parse_json_invoice(document) if is_json else parse_fiscal_xml(document)
    return parsed.sound_invoice()
