"""Everything that writing a payable and a payment file asks for, filled by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from backend.domain.claim import ClaimState
from backend.domain.journal import ClaimFund, Entry, Fund
from backend.domain.ledger import IntentKind, IntentState, LedgerIntent, SlotState
from backend.domain.payout import PayoutRules
from backend.service_layer.claims.records import Claim, Decision, Payout
from backend.service_layer.payout.ports import BadPaymentFileError
from backend.service_layer.payout.records import AccountAnswer, PayeeAccount, PaymentFile
from backend.service_layer.payout.stored import Attempt, Hold, StoredFile
from backend.service_layer.ports import FinalSlot
from tests.unit.payout.payables import ACCOUNT, CLAIM, NOW

FUND = Fund("330800", "310", "330802", "柯城测试")
GOOD = SlotState(
    total_fen=40_000, paid_fen=6_500, leaf_reference=0, deadline=0, open_payer=0, lodge_counter=1,
    flags=SlotState.PINNED, settled_payers=0b10,
)  # fmt: skip
VOID = replace(GOOD, flags=SlotState.VOID)


def intent(claim: Claim, fen: int, version: int = 1, **fields: Any) -> LedgerIntent:
    kind = IntentKind.SETTLE if version == 1 else IntentKind.SUPPLEMENT
    values: dict[str, Any] = {"state": IntentState.FINAL, "outcome": "done", "block_number": 90}
    return LedgerIntent(
        f"int_{version}", kind, "0xA1", False, "key", claim.id,
        {"decision_version": version, "amount": fen}, **(values | fields),
    )  # fmt: skip


def decision(claim: Claim, version: int, pool: int, aid: int = 0) -> Decision:
    record = {
        "hifp_pay_fen": pool, "hifmi_pay_fen": 0, "hifob_pay_fen": 0, "maf_pay_fen": aid,
        "cvlserv_pay_fen": 0,
    }  # fmt: skip
    return Decision(
        f"dec_{version}", claim.id, version, "approved", pool + aid, json.dumps(record), b"", None,
        b"", "", "", "machine", "", NOW,
    )  # fmt: skip


@dataclass
class Office:
    """Claims by id, each with its payables; what is written counts when it is committed."""

    held: dict[str, Claim] = field(default_factory=lambda: {"clm_1": CLAIM})
    payables: list[Payout] = field(default_factory=list)
    intents: list[LedgerIntent] = field(default_factory=lambda: [intent(CLAIM, 6_000)])
    made: list[Decision] = field(default_factory=lambda: [decision(CLAIM, 1, 5_000, 1_000)])
    slots: dict[bytes, FinalSlot | Exception] = field(default_factory=dict)
    account: PayeeAccount | None = ACCOUNT
    rules: PayoutRules = field(default_factory=PayoutRules)
    bank_fen: int = 1_000_000
    funds: dict[str, Fund] = field(default_factory=dict)
    attempts: dict[str, list[Any]] = field(default_factory=dict)
    bill_state: str = "anchored"
    instructed_today: dict[tuple[str, str], int] = field(default_factory=dict)
    unwritable: frozenset[str] = frozenset()
    open: dict[tuple[str, str], str] = field(default_factory=dict)
    booked: list[Entry] = field(default_factory=list)
    moves: list[tuple[Any, ...]] = field(default_factory=list)
    files: list[tuple[StoredFile, list[Attempt]]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    asked: list[list[bytes]] = field(default_factory=list)
    commits: int = 0
    turns: list[Any] = field(default_factory=list)

    @property
    def deps(self) -> Any:
        return SimpleNamespace(
            work=lambda write=True: self,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=SimpleNamespace(new_id=lambda prefix: f"{prefix}_{len(self.files) + 1}"),
            settings=SimpleNamespace(payout=self.rules),
            bank=SimpleNamespace(is_simulated=True),
            ledger=SimpleNamespace(final_slots=self.final_slots),
            payees=SimpleNamespace(
                account_for=lambda work, person, at: AccountAnswer(
                    self.account, "" if self.account else "account-missing"
                )
            ),
            payment_format=SimpleNamespace(write=self.write),
            secret_box=SimpleNamespace(
                wrap=lambda content, name: content + b"|" + name.encode()
            ),
        )  # fmt: skip

    def final_slots(self, keys: Sequence[bytes], followed: int) -> Mapping[bytes, FinalSlot]:
        assert followed == 77
        self.asked.append(list(keys))
        found: dict[bytes, FinalSlot] = {}
        for key in keys:
            slot = self.slots.get(key, FinalSlot(90, GOOD, GOOD))
            if isinstance(slot, Exception):
                raise slot
            found[key] = slot
        return found

    def write(self, file: PaymentFile) -> bytes:
        if self.unwritable & {item.end_to_end_id for item in file.items}:
            raise BadPaymentFileError("写不出", "no file can hold it")
        return file.message_id.encode()

    @property
    def claims(self) -> Any:
        def update(claim_id: str, before: ClaimState, at: Any, **after: Any) -> bool:
            assert at == NOW
            self.moves.append((claim_id, str(before), after))
            return True

        return SimpleNamespace(
            get=lambda name, lock=False: self.held[name],
            update=update,
            bill_of_version=lambda version: SimpleNamespace(
                invoice_key=version.encode(), state=self.bill_state, borne_fen=500
            ),
            pends_of=lambda claim: [],
        )

    @property
    def payments(self) -> Any:
        def add_file(stored: StoredFile, attempts: list[Attempt]) -> None:
            self.files.append((stored, attempts))

        def last_hold(claim_id: str) -> Hold | None:
            found = [one for one in self.holds if one.claim_id == claim_id]
            return found[-1] if found else None

        def payables(*, after: Any, limit: int, only_fresh: bool = False) -> list[Payout]:
            assert limit == 500
            return [] if after else self.payables

        def instructed_fen(lane: Any, day: Any, **whose: str) -> int:
            ((_, name),) = whose.items()
            return self.instructed_today.get((str(day), name), 0)

        return SimpleNamespace(
            payables=payables,
            look_ahead=lambda payables: None,
            tried=lambda payable: self.attempts.get(payable, []),
            fell_away=lambda payable: False,
            last_hold=last_hold,
            add_hold=self.holds.append,
            take_turn=self.turns.append,
            add_file=add_file,
            instructed_fen=instructed_fen,
            is_owed=lambda claim: False,
        )

    @property
    def journal(self) -> Any:
        def add(entries: Sequence[Entry]) -> list[str]:
            self.booked += entries
            return [one.id for one in entries]

        return SimpleNamespace(
            claim_fund=lambda claim: ClaimFund(
                claim, self.funds.get(claim, FUND), "register", NOW
            ),
            find=lambda ids: {},
            lock_months=lambda region: None,
            add=add,
            entries_of=lambda claim: [
                one for one in self.booked if one.occasion.claim_id == claim
            ],
            balance=lambda account, insurance_type: (
                self.bank_fen if account.startswith("bank:") else 0
            ),
            look_ahead=lambda claims: None,
        )  # fmt: skip

    @property
    def alarms(self) -> Any:
        return SimpleNamespace(
            open_counts=lambda: {code: 1 for code, _ in self.open},
            raise_alarm=lambda code, subject, detail: self.open.update({(code, subject): detail}),
            clear=lambda code, subject: self.open.pop((code, subject), None),
            look_ahead=lambda code: None,
        )

    @property
    def outbox(self) -> Any:
        return SimpleNamespace(
            look_ahead=lambda claims, *kinds: None,
            of_subject=lambda claim, *kinds: [
                one for one in self.intents if one.subject_id == claim and one.kind in kinds
            ],
        )

    @property
    def decisions(self) -> Any:
        return SimpleNamespace(
            all_of=lambda claim: [one for one in self.made if one.claim_id == claim],
            latest=lambda claim: self.made[-1],
        )

    @property
    def payouts(self) -> Any:
        known = {one.id: one for one in self.payables}
        return SimpleNamespace(get=known.get, add=self.payables.append)

    people = SimpleNamespace(
        get=lambda person: SimpleNamespace(payee_bank="旧银行", payee_account_tail="0001")
    )
    chain = SimpleNamespace(cursor=lambda: 77)
    reconciliation = SimpleNamespace(holding_cases=list)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1
