"""Is the chain ahead of this database? It is after a database was restored from an older backup.

Nothing is changed here. Every transaction of ours is committed before it is sent, so that in a
database that was not restored no nonce, batch or event of ours on the chain can be unknown
(design: ledger protocol 5). A self-custody institution that anchors past this system shows the
same picture: its batch is unknown here and has to be adopted too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.domain.errors import ConflictError
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import LedgerEvent, Parties
from backend.service_layer.anchoring.ports import AnchoringWork
from backend.service_layer.ports import BlockStamp

BEHIND: Final = "database-behind-chain"
SUBJECT: Final = "chain"
_STAMPS_CHECKED: Final = 10_000
_ISSUER_CALLS: Final = frozenset(("supersede", "void", "reverse", "exchange", "return"))


class DatabaseBehindChainError(ConflictError):
    """The chain knows more of us than this database: nothing may be signed before adoption."""

    code = BEHIND


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``here`` and ``there`` say what database and chain hold."""

    kind: str  # nonce | batch | event | block
    subject: str
    here: str
    there: str

    @property
    def is_ahead(self) -> bool:
        """Whether the chain is ahead; else it lacks a block that was followed here."""
        return self.kind != "block"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Findings, and the blocks in which something unknown may stand."""

    findings: tuple[Finding, ...]
    first_block: int
    head: BlockStamp

    @property
    def is_ahead(self) -> bool:
        return any(finding.is_ahead for finding in self.findings)

    def sentence(self) -> str:
        """What is ahead, in a few words."""
        ahead = [finding for finding in self.findings if finding.is_ahead]
        shown = "; ".join(f"{f.kind} {f.subject}: {f.here} < {f.there}" for f in ahead[:3])
        return shown + (f"; and {len(ahead) - 3} more" if len(ahead) > 3 else "")


def compare(deps: Anchoring, payer_number: int) -> Comparison:
    """Compare chain and database. Raises LedgerUnavailableError when no node answers: then
    nothing is known, and nothing may be sent."""
    with deps.work(write=False) as work:
        parties = work.reconciliation.parties(payer_number)
        cursor = work.chain.cursor()
    head = deps.node.head()
    found, followed = _followed(deps, cursor)
    found += _nonces(deps, parties)
    found += _sequences(deps, parties)
    deployed = deps.node.deployment().block_number
    first = deployed if followed is None else followed.number + 1
    found += _events(deps, parties, first, head.number)
    return Comparison(tuple(found), first, head)


def _followed(
    deps: Anchoring, cursor: BlockStamp | None
) -> tuple[list[Finding], BlockStamp | None]:
    """The newest followed block that is still on the chain, and a finding if it is not the
    newest of all."""
    if cursor is None or _is_on_chain(deps, cursor):
        return [], cursor
    with deps.work(write=False) as work:
        older = work.chain.stamps_below(cursor.number, _STAMPS_CHECKED)
    common = next((stamp for stamp in older if _is_on_chain(deps, stamp)), None)
    there = "another block" if deps.node.block(cursor.number) else "no such block"
    return [Finding("block", str(cursor.number), cursor.hash.hex()[:16], there)], common


def _is_on_chain(deps: Anchoring, stamp: BlockStamp) -> bool:
    block = deps.node.block(stamp.number)
    return block is not None and block.hash == stamp.hash


def _nonces(deps: Anchoring, parties: Parties) -> list[Finding]:
    found = []
    for account in parties.accounts:
        if not deps.signer.holds(account):
            continue
        # The chain first: what is sent between the two reads was committed here before.
        there = deps.node.transaction_count(account)
        with deps.work(write=False) as work:
            here = work.accounts.next_nonce(account) or 0
        if there > here:
            found.append(Finding("nonce", account, str(here), str(there)))
    return found


def _sequences(deps: Anchoring, parties: Parties) -> list[Finding]:
    found = []
    for number, (code, last) in sorted(parties.institutions.items()):
        if deps.node.batch_head(number, last + 1) == bytes(32):
            continue
        with deps.work(write=False) as work:
            is_here = work.reconciliation.batch_at(code, last + 1) is not None
        if not is_here:  # else it was formed and anchored while this was compared
            found.append(Finding("batch", code, str(last), f"{last + 1} or more"))
    return found


def _events(deps: Anchoring, parties: Parties, first: int, last: int) -> list[Finding]:
    if first > last:
        return []
    unknown: dict[bytes, LedgerEvent] = {}
    events = [event for event in deps.node.events(first, last) if concerns(event, parties)]
    with deps.work(write=False) as work:
        for event in events:
            if event.tx_hash not in unknown and not is_known(work, event.tx_hash):
                unknown[event.tx_hash] = event
    return [
        Finding("event", f"{event.call} {event.key.hex()[:16]}", "unknown", event.outcome)
        for event in unknown.values()
    ]


def is_known(work: AnchoringWork, tx_hash: bytes) -> bool:
    """Whether a transaction was made here or was adopted before."""
    return work.transactions.find_by_hash(tx_hash) is not None


def concerns(event: LedgerEvent, parties: Parties) -> bool:
    """Whether an event was caused by our payer or by one of our institutions. Anybody may expire a
    lock: that says nothing about us, and must not stop us."""
    if event.call == "expire":
        return False
    if event.call == "anchor":
        return event.values["institution"] in parties.institutions
    if event.call in _ISSUER_CALLS:
        return event.values["leaf_reference"] >> 32 in parties.institutions
    return bool(event.values["payer"] == parties.payer_number)


def refuse_if_behind(deps: Anchoring, payer_number: int) -> None:
    """Raise the alarm and DatabaseBehindChainError when the chain is ahead; else clear it."""
    comparison = compare(deps, payer_number)
    with deps.work() as work:
        if not comparison.is_ahead:
            work.alarms.clear(BEHIND, SUBJECT)
            work.commit()
            return
        # One open alarm, saying what is so now.
        work.alarms.clear(BEHIND, SUBJECT)
        work.alarms.raise_alarm(BEHIND, SUBJECT, comparison.sentence())
        work.commit()
    raise behind_error(comparison)


def behind_error(comparison: Comparison) -> DatabaseBehindChainError:
    return DatabaseBehindChainError(
        "账本比数据库新：数据库多半是从旧备份恢复的。没有签名，也没有付款。"
        f"请运行 yichu reconcile，再启动 yichu worker。（{comparison.sentence()}）",
        "the ledger is ahead of the database, which was probably restored from an older backup. "
        "Nothing was signed and nothing is paid. Run `yichu reconcile`, then start the worker. "
        f"({comparison.sentence()})",
    )
