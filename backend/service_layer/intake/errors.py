"""Refusals of intake that are not faults of the document's text."""

from __future__ import annotations

from backend.domain.errors import ConflictError, DomainError


class DifferentContentError(ConflictError):
    """The number was uploaded before with other content."""

    code = "different-content"

    def __init__(self, invoice_id: str) -> None:
        route = f"/v1/invoices/{invoice_id}/corrections"
        super().__init__(
            f"这个票据号码已上传过不同的内容，没有覆盖。更正请提交到 {route}",
            "this number was uploaded before with other content; nothing was overwritten. "
            f"To correct it, POST the new content to {route}",
        )
        self.invoice_id = invoice_id


class CorrectedSinceError(ConflictError):
    """The correction is content that the bill has left behind, or names another version than the
    present one: it may be a request of long ago that arrived again."""

    code = "corrected-since"

    def __init__(self, present: int) -> None:
        super().__init__(
            f"票据现在是第 {present} 版，这份内容比它旧或不是对着它更正的，没有改动。确实要改成这份"
            f"内容，请带上请求头 Yichu-Replaces: {present} 再发一次",
            f"the bill is at version {present}; this content is older than it, or corrects another "
            "version, and nothing was changed. If it is meant, send it again with the header "
            f"Yichu-Replaces: {present}",
        )


class LockedInvoiceError(ConflictError):
    """A claim holds the bill; its content can no longer be corrected."""

    code = "invoice-locked"

    def __init__(self) -> None:
        super().__init__(
            "票据已在报销中，不能更正；请作废（/void）或开红字票据冲销",
            "a claim holds the bill, so it cannot be corrected; void it or upload a red bill",
        )


class SettledInvoiceError(ConflictError):
    """The bill has been paid on; its content can no longer be corrected."""

    code = "invoice-settled"

    def __init__(self) -> None:
        super().__init__(
            "票据已报销，不能更正；请作废（/void）或开红字票据冲销",
            "the bill was reimbursed, so it cannot be corrected; void it or upload a red bill",
        )


class EndedInvoiceError(ConflictError):
    """The bill is void or reversed; neither can be undone."""

    code = "invoice-ended"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"票据已{'作废' if state == 'void' else '冲红'}，不能再变更",
            f"the bill is {state} and cannot be changed any more",
        )


class RedBillError(ConflictError):
    """A red bill contradicts what is stored about its original."""

    code = "red-bill-refused"


class SecretError(DomainError):
    """The secret or fingerprint that came with a bill is missing, extra or malformed."""

    code = "bad-invoice-secret"


class FingerprintMismatchError(DomainError):
    """The fingerprint recomputed from the document and the secret is another."""

    code = "fingerprint-mismatch"

    def __init__(self) -> None:
        super().__init__(
            "按收到的内容和密钥重算的指纹与所报指纹不符，没有收下",
            "the fingerprint recomputed from the content and secret received differs from the one "
            "stated; nothing was stored",
        )


class DisputeError(ConflictError):
    """A dispute cannot be ruled in this way now."""

    code = "dispute-refused"
