"""How long the reconciliation takes over a day of paid claims.

One claim is taken through the whole system, then its rows are copied with names of their own:
claims, decisions, ledger intents, payables, instructions, answers and journal entries. Files and
reports are real pain.001 and pain.002 of 500 items in the simulated bank's folder. The ledger is a
table in memory: what asking a node for the slots costs is not in the figures.

    python -m scripts.bench.reconcile [CLAIMS]
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backend.adapters.database import tables
from backend.adapters.iso20022.pain001 import read_pain001, write_pain001
from backend.adapters.iso20022.pain002 import read_pain002, write_pain002
from backend.service_layer.handling.advance import advance_claims
from backend.service_layer.money_reconciliation.rules import find_mismatches
from verifier.commitment.canonical import canonical_bytes, parse_canonical
from verifier.commitment.fingerprint import compute_fingerprint

CLAIMS = 15_605
A_FILE = 500


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CLAIMS
    with tempfile.TemporaryDirectory() as folder:
        from tests.integration.claims.world import World
        from tests.integration.payout.office import claim_of
        from tests.memory_bank import equip_durably

        world = World.make(Path(folder))
        bank = equip_durably(world.services, Path(folder))
        claim_of(world, world.person())
        for _ in range(12):
            advance_claims(world.services)
            world.mine()
        assert find_mismatches(world.services) == []
        began = time.monotonic()
        _Copies(world, bank).make(count)
        print(f"{count} claims made in {time.monotonic() - began:.1f} s")
        began, busy = time.monotonic(), time.process_time()
        found = find_mismatches(world.services)
        seconds, busy = time.monotonic() - began, time.process_time() - busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"reconciled in {seconds:.1f} s ({busy:.1f} s of CPU), "
            f"{len(found)} mismatches, peak {memory:.0f} MiB"
        )
        for row in found[:5]:
            print(row)


class _Copies:
    """Rows of the one claim again and again, each whole and with its own names."""

    def __init__(self, world: Any, bank: Any) -> None:
        self.world, self.bank, self.services = world, bank, world.services
        with self.services.engine.connect() as connection:
            self.rows = {
                name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
                for name, table in tables.metadata.tables.items()
            }
        self.claim = self.rows["claim"][0]

    def make(self, count: int) -> None:
        for start in range(1, count, A_FILE):
            self._file(range(start, min(start + A_FILE, count)))

    def _file(self, numbers: range) -> None:
        services = self.services
        (stored,) = self.rows["payout_file"]
        (message,) = self.rows["bank_message"]
        content = services.secret_box.unwrap(stored["wrapped_content"], stored["id"])
        said = services.secret_box.unwrap(message["wrapped_content"], message["id"])
        file, report = read_pain001(content), read_pain002(said)
        items = tuple(
            dataclasses.replace(file.items[0], end_to_end_id=self._end_to_end(n)) for n in numbers
        )
        name = f"BENCH-{numbers.start}"
        file = dataclasses.replace(file, message_id=name, items=items)
        report = dataclasses.replace(
            report,
            message_id=f"R{name}",
            original_message_id=name,
            original_item_count=len(items),
            original_control_sum_fen=file.control_sum_fen,
            items=tuple(
                dataclasses.replace(report.items[0], end_to_end_id=item.end_to_end_id)
                for item in items
            ),
        )
        ours, theirs = write_pain001(file), write_pain002(report)
        folder = services.settings.var_dir / "bank"
        (folder / "handed" / f"{name}.xml").write_bytes(ours)
        (folder / "read" / f"R{name}.pain.002.xml").write_bytes(theirs)
        self._store(stored, message, name, numbers, ours, theirs)

    def _store(  # noqa: PLR0917
        self, stored: Any, message: Any, name: str, numbers: range, ours: bytes, theirs: bytes
    ) -> None:
        box = self.services.secret_box
        added: dict[str, list[dict[str, Any]]] = {n: [] for n in _COPIED}
        file_id, message_id = f"pfl_{name}", f"bmg_{name}"
        fen = self.rows["payment_attempt"][0]["amount_fen"]
        added["payout_file"].append(
            stored
            | {
                "id": file_id,
                "message_id": name,
                "item_count": len(numbers),
                "control_sum_fen": fen * len(numbers),
                "digest": hashlib.sha256(ours).digest(),
                "wrapped_content": box.wrap(ours, file_id),
            }
        )
        added["bank_message"].append(
            message
            | {
                "id": message_id,
                "name": f"R{name}.pain.002.xml",
                "digest": hashlib.sha256(theirs).digest(),
                "wrapped_content": box.wrap(theirs, message_id),
                "report_id": f"R{name}",
                "original_id": name,
            }
        )
        for n in numbers:
            self._claim(added, n, file_id, message_id)
        with self.services.engine.begin() as connection:
            for table in _COPIED:
                if added[table]:
                    connection.execute(tables.metadata.tables[table].insert(), added[table])

    def _end_to_end(self, n: int) -> str:
        return f"{self._number(n)}-V1-A1"

    def _number(self, n: int) -> str:
        return f"2026112{n:09d}-01"

    def _claim(self, added: Any, n: int, file_id: str, message_id: str) -> None:
        number, tag = self._number(n), f"_{n}"
        old_id, old_number = self.claim["id"], self.claim["number"]
        new_id = f"clm{tag}"
        key = n.to_bytes(32, "big")

        def rename(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            return value.replace(old_id, new_id).replace(old_number, number)

        bill: dict[str, dict[str, Any]] = {
            "invoice": {"id": f"inv{tag}", "invoice_key": key, "invoice_number": f"{n:08d}",
                        "public_token": f"t{tag}"},
            "invoice_version": {"id": f"ver{tag}", "invoice_id": f"inv{tag}"},
        }  # fmt: skip
        for table, changes in bill.items():
            added[table].append(self.rows[table][0] | changes)
        ours = {
            "invoice_id": f"inv{tag}",
            "version_id": f"ver{tag}",
            "live_invoice_id": f"inv{tag}",
        }
        added["claim"].append(self.claim | ours | {"id": new_id, "number": number})
        for row in self.rows["decision"]:
            record: Any = parse_canonical(rename(row["explanation"]).encode())
            secret = bytes(32)
            fingerprint = compute_fingerprint(record, secret)
            decision_id = f"dec{tag}"
            added["decision"].append(
                row
                | {
                    "id": decision_id,
                    "claim_id": new_id,
                    "explanation": canonical_bytes(record).decode(),
                    "fingerprint": fingerprint,
                    "wrapped_secret": self.services.secret_box.wrap(secret, decision_id),
                }
            )
        for place, row in enumerate(self.rows["ledger_intent"]):
            if row["subject_id"] != old_id:
                continue
            payload = json.loads(row["payload"])
            if "decision_fingerprint" in payload:
                payload["decision_fingerprint"] = fingerprint.hex()
            added["ledger_intent"].append(
                row
                | {
                    "id": f"int{tag}_{place}",
                    "dedupe_key": rename(row["dedupe_key"]),
                    "subject_id": new_id,
                    "payload": json.dumps(payload),
                }
            )
        self._money(added, new_id, number, {"file_id": file_id, "message_id": message_id})
        with self.services.work(write=False) as work:
            old = work.claims.bill_of_version(self.claim["version_id"]).invoice_key
        self.world.ledger.slots[key] = self.world.ledger.slots[old]

    def _money(self, added: Any, new_id: str, number: str, changes: dict[str, str]) -> None:
        old_id, old_number = self.claim["id"], self.claim["number"]

        def rename(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            return value.replace(old_id, new_id).replace(old_number, number)

        for table in ("payout", "payment_attempt", "payment_answer", "claim_fund"):
            for row in self.rows[table]:
                renamed = {name: rename(value) for name, value in row.items()}
                known = {k: v for k, v in changes.items() if k in row}
                added[table].append(renamed | known)
        for place, row in enumerate(self.rows["journal_entry"]):
            if row["claim_id"] != old_id:
                continue
            entry_id = f"jnl{new_id}_{place}"
            added["journal_entry"].append(
                {name: rename(value) for name, value in row.items()} | {"id": entry_id}
            )
            added["journal_transfer"] += [
                one | {"entry_id": entry_id}
                for one in self.rows["journal_transfer"]
                if one["entry_id"] == row["id"]
            ]


_COPIED = ("invoice", "invoice_version", "claim", "decision", "ledger_intent", "claim_fund",
           "payout", "payout_file", "payment_attempt", "bank_message", "payment_answer",
           "journal_transfer", "journal_entry")  # fmt: skip

if __name__ == "__main__":
    main()
