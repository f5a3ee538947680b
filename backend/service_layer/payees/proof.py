"""An account without a bank that can be asked: two people see a proof of whose it is.

A proof is a document of the bank: the card or the bank book with its name page, or a certificate of
the account. One person compares it with the identity document and names its copy's digest; another
one does the same, with the same copy. The confirmed account is another version, so that it takes
effect, waits and is announced like any account that a bank has confirmed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.payee import AccountRefusedError, effective_from
from backend.service_layer.claims.acting import acting, require_other_person
from backend.service_layer.payees.declare import announce_change
from backend.service_layer.payees.effective import number_context
from backend.service_layer.payees.holder import holder_of
from backend.service_layer.payees.ports import PayeeServices
from backend.service_layer.payees.records import PROOF_OF, UNCHECKED, Account, AccountRow, Proof
from backend.service_layer.payout.records import NameVerdict

PROPOSED, CONFIRMED, REFUSED = "proposed", "confirmed", "refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Who saw which document, and what it was. ``digest``: SHA-256 of its copy."""

    by: str
    reason: str
    digest: bytes


def propose_proof(deps: PayeeServices, person_id: str, version: int, seen: Seen) -> None:
    """One person has seen the proof. Nothing is paid to the account yet. The same said again by
    the same person, of the same document, is one.

    Raises NotFoundError, :class:`AccountRefusedError` for an account about which a bank was asked,
    that is not the person's newest, or that is in somebody else's name by now, and ConflictError
    when its proof is over.
    """
    with deps.work() as work:
        account = _waiting(deps, work, person_id, version)
        known = work.payees.proofs_of(account.row.id)
        by = acting(work, seen.by)
        if known and (known[-1].by, known[-1].document_digest) == (by, seen.digest):
            return
        _add(deps, work, account.row, PROPOSED, seen)
        work.commit()


def confirm_proof(deps: PayeeServices, person_id: str, version: int, seen: Seen) -> AccountRow:
    """Another person has seen the same copy: the account is confirmed. A first one takes effect at
    once, a change after its delay, announced to the contact that is known now.

    Raises what :func:`propose_proof` raises, ConflictError when nobody has seen a proof yet or it
    was another document, and SamePersonError.
    """
    with deps.work() as work:
        account = _waiting(deps, work, person_id, version)
        proofs = work.payees.proofs_of(account.row.id)
        if not proofs:
            raise ConflictError(
                "还没有人核对过证明：先由一个人核对登记，再由另一个人确认",
                "nobody has seen a proof yet: one person sees it, another one confirms",
            )
        require_other_person(work, proofs[-1].by, acting(work, seen.by))
        if proofs[-1].document_digest != seen.digest:
            raise ConflictError(
                "这不是第一个人看过的那份材料，没有确认",
                "this is another document than the first person has seen: not confirmed",
            )
        row = _confirmed(deps, work, account.row)
        work.payees.add_account(row)
        _add(deps, work, account.row, CONFIRMED, seen, row.id)
        if row.effective_at is not None and row.effective_at > row.declared_at:
            announce_change(deps, work, row)
        work.commit()
    return row


def refuse_proof(deps: PayeeServices, person_id: str, version: int, seen: Seen) -> None:
    """The proof does not show that the account is the holder's: it is never paid to. The person
    names an account again."""
    with deps.work() as work:
        account = _waiting(deps, work, person_id, version)
        _add(deps, work, account.row, REFUSED, seen)
        work.commit()


def _waiting(deps: PayeeServices, work: Any, person_id: str, version: int) -> Account:
    work.people.lock(person_id)
    accounts = work.payees.accounts_of(person_id)
    account: Account | None = next((a for a in accounts if a.row.version == version), None)
    if account is None:
        raise NotFoundError("没有这个账户", "there is no such account")
    if any(one.action != PROPOSED for one in work.payees.proofs_of(account.row.id)):
        raise ConflictError("这个账户的证明已核完", "the proof of this account is over")
    if account.row.verdict != UNCHECKED:
        raise AccountRefusedError(
            "这个账户银行已经答复过，不用材料核验",
            "a bank was asked about this account: no proof takes its place",
        )
    if version != max(one.row.version for one in accounts):
        raise AccountRefusedError(
            "这个人后来又填了别的账户，请核对最新的一个",
            "the person has named another account since: check the newest one",
        )
    holder = holder_of(work, work.people.get(person_id), deps.clock.now())
    if (holder.id, holder.name) != (account.row.holder_id, account.row.holder):
        raise AccountRefusedError(
            "户名应有变化（成年、监护人或姓名变更），请重新填写账户",
            "the account would be in another name by now: it has to be named again",
        )
    return account


def _add(  # noqa: PLR0917
    deps: PayeeServices,
    work: Any,
    row: AccountRow,
    action: str,
    seen: Seen,
    confirmed_id: str | None = None,
) -> None:
    ordinal = len(work.payees.proofs_of(row.id)) + 1
    work.payees.add_proof(
        Proof(
            row.id, ordinal, action, acting(work, seen.by), seen.reason.strip(), seen.digest,
            deps.clock.now(), confirmed_id,
        )
    )  # fmt: skip


def _confirmed(deps: PayeeServices, work: Any, row: AccountRow) -> AccountRow:
    """The same account as another version, from now on one that may be paid to."""
    now = deps.clock.now()
    declared = [account.declared for account in work.payees.accounts_of(row.person_id)]
    number = deps.secret_box.unwrap(row.wrapped_number, number_context(row.id))
    new_id = deps.ids.new_id("acc")
    return dataclasses.replace(
        row,
        id=new_id,
        version=row.version + 1,
        wrapped_number=deps.secret_box.wrap(number, number_context(new_id)),
        verdict=str(NameVerdict.MATCH),
        effective_at=effective_from(declared, now, deps.settings.payee_delay),
        form_token=f"{PROOF_OF}{row.id}",
        declared_at=now,
    )
