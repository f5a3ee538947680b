"""Corrections, voids, red bills, disputes and batches, over HTTP and in the outbox."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backend.domain.invoice import Invoice
from backend.domain.ledger import IntentState, LeafPosition, SlotState
from backend.service_layer.intake.disputes import rule_dispute
from backend.service_layer.intake.errors import DisputeError
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.intake.conftest import FIRST, SECOND, House, numbered, red_of
from verifier.commitment import merkle
from verifier.commitment.batch import BatchLeaf, RecordKind, batch_head

REGISTRAR = "0x" + "9" * 40


def anchor_all(house: House, state: IntentState = IntentState.FINAL) -> None:
    """What the worker does to anchor intents, without a ledger."""
    ids = [row.id for row in house.intents("anchor")]
    with house.services.work() as work:
        work.outbox.set_state(ids, state, block_number=7, tx_hash=b"\x11" * 32)
        work.commit()


def custodial(invoice: Invoice, number: str = "0012345678") -> Invoice:
    return numbered(invoice, number, institution_code=SECOND)


class TestBatches:
    def test_a_batch_commits_to_its_leaves(self, house: House, sample: Invoice) -> None:
        answers = [house.post(numbered(sample, f"{n:010d}")).json for n in range(7)]

        assert house.form_batches() == 1

        (intent,) = house.intents("anchor")
        payload = json.loads(intent.payload)
        assert (payload["sequence"], payload["size"]) == (1, 7)
        assert payload["previous_head"] == "00" * 32
        assert not intent.held
        assert intent.account == f"0x{1:040x}"
        with house.services.work(write=False) as work:
            rows = work.batches.leaves(intent.subject_id)
        leaves = [BatchLeaf.decode(encoded) for encoded, _ in rows]
        assert merkle.root_hash([leaf.hash() for leaf in leaves]).hex() == payload["root"]
        assert {leaf.fingerprint.hex() for leaf in leaves} == {a["fingerprint"] for a in answers}
        assert {leaf.invoice_key.hex() for leaf in leaves} == {a["invoice_key"] for a in answers}
        assert {(leaf.total_fen, leaf.borne_fen) for leaf in leaves} == {(13300, 0)}

    def test_nothing_to_anchor_forms_no_batch(self, house: House, sample: Invoice) -> None:
        house.post(sample)
        assert house.form_batches() == 1
        anchor_all(house)
        assert house.form_batches() == 0

    def test_batches_chain(self, house: House, sample: Invoice) -> None:
        house.post(custodial(sample, "0000000001"))
        house.form_batches()
        house.post(custodial(sample, "0000000002"))
        house.form_batches()

        first, second = (json.loads(row.payload) for row in house.intents("anchor"))
        head = batch_head(2, 1, bytes(32), bytes.fromhex(first["root"]), 1)
        assert (second["sequence"], second["previous_head"]) == (2, head.hex())
        assert all(row.held for row in house.intents("anchor"))

    def test_a_self_custody_key_has_one_open_batch(self, house: House, sample: Invoice) -> None:
        house.post(numbered(sample, "0000000001"))
        house.form_batches()
        house.post(numbered(sample, "0000000002"))

        assert house.form_batches() == 0
        anchor_all(house, IntentState.SENT)
        assert house.form_batches() == 0
        anchor_all(house, IntentState.MINED)
        assert house.form_batches() == 1

    def test_a_void_bill_is_never_batched(self, house: House, sample: Invoice) -> None:
        invoice_id = house.post(sample).json["id"]
        answer = house.post_json(f"/v1/invoices/{invoice_id}/void", {"reason": "issued-twice"})

        assert (answer.status_code, answer.json["state"]) == (200, "void")
        assert house.form_batches() == 0
        assert house.intents("void") == []

    def test_the_proof_leads_to_the_anchored_root(self, house: House, sample: Invoice) -> None:
        ids = [house.post(numbered(sample, f"{n:010d}")).json["id"] for n in range(5)]
        early = house.get(f"/v1/invoices/{ids[3]}/proof")
        house.form_batches()
        waiting = house.get(f"/v1/invoices/{ids[3]}/proof")
        anchor_all(house)

        proof = house.get(f"/v1/invoices/{ids[3]}/proof").json

        assert early.json["code"] == waiting.json["code"] == "not-anchored-yet"
        position = LeafPosition.from_payload(proof)
        merkle.verify_inclusion(
            merkle.leaf_hash(position.leaf),
            position.leaf_index,
            position.size,
            position.proof,
            position.root,
        )
        assert proof["anchor"]["state"] == "final"
        assert proof["anchor"]["block_number"] == 7


class TestCorrections:
    def test_a_correction_is_a_new_version(self, house: House, sample: Invoice) -> None:
        first = house.post(sample).json
        path = f"/v1/invoices/{first['id']}/corrections"

        changed = house.post(replace(sample, department="外科"), path)
        again = house.post(replace(sample, department="外科"), path)

        assert (changed.status_code, changed.json["version"]) == (201, 2)
        assert (again.status_code, again.json["version"]) == (200, 2)
        assert changed.json["fingerprint"] != first["fingerprint"]
        house.form_batches()
        batch_id = house.intents("anchor")[0].subject_id
        with house.services.work(write=False) as work:
            (row,) = work.batches.leaves(batch_id)
        assert BatchLeaf.decode(row[0]).fingerprint.hex() == changed.json["fingerprint"]
        assert house.intents("supersede") == []

    def test_a_correction_that_arrives_again_after_another_one_changes_nothing(
        self, house: House, sample: Invoice
    ) -> None:
        path = f"/v1/invoices/{house.post(sample).json['id']}/corrections"
        first, second = replace(sample, department="外科"), replace(sample, department="骨科")
        house.post(first, path)
        latest = house.post(second, path).json
        for late in (first, sample):  # the first correction, and the content of the upload
            answer = house.post(late, path)
            assert (answer.status_code, answer.json["code"]) == (409, "corrected-since")
            assert "Yichu-Replaces: 3" in answer.json["detail"]
            assert "is at version 3" in answer.json["detail_en"]
        upload = house.post(sample)  # the upload again is answered with the bill as it is
        assert (upload.status_code, upload.json["version"]) == (200, 3)
        now = house.get(f"/v1/invoices/{latest['id']}").json
        assert (now["version"], now["fingerprint"]) == (3, latest["fingerprint"])
        assert house.count("invoice_version") == 3

    def test_going_back_to_an_earlier_content_names_what_it_replaces(
        self, house: House, sample: Invoice
    ) -> None:
        path = f"/v1/invoices/{house.post(sample).json['id']}/corrections"
        changed = replace(sample, department="外科")
        house.post(changed, path)
        for wrong in ("1", "3"):
            answer = house.post(sample, path, **{"Yichu-Replaces": wrong})
            assert (answer.status_code, answer.json["code"]) == (409, "corrected-since")
        for unreadable in ("", "x", "0", "02", "-1", "２"):
            answer = house.post(sample, path, **{"Yichu-Replaces": unreadable})
            assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")
        back = house.post(sample, path, **{"Yichu-Replaces": "2"})
        assert (back.status_code, back.json["version"]) == (201, 3)
        again = house.post(sample, path, **{"Yichu-Replaces": "2"})
        assert (again.status_code, again.json["version"]) == (200, 3)  # sent again: as before
        late = house.post(changed, path)
        assert (late.status_code, late.json["code"]) == (409, "corrected-since")
        assert house.count("invoice_version") == 3

    def test_a_correction_meant_for_another_version_is_refused(
        self, house: House, sample: Invoice
    ) -> None:
        """Two clerks at one hospital: the second had not seen what the first corrected."""
        path = f"/v1/invoices/{house.post(sample).json['id']}/corrections"
        house.post(replace(sample, department="外科"), path, **{"Yichu-Replaces": "1"})
        blind = house.post(replace(sample, department="骨科"), path, **{"Yichu-Replaces": "1"})
        assert (blind.status_code, blind.json["code"]) == (409, "corrected-since")
        assert house.count("invoice_version") == 2

    def test_an_anchored_bill_is_superseded_when_the_new_leaf_stands(
        self, house: House, sample: Invoice
    ) -> None:
        first = house.post(sample).json
        house.form_batches()
        anchor_all(house)
        house.post(replace(sample, department="外科"), f"/v1/invoices/{first['id']}/corrections")
        assert house.intents("supersede") == []

        house.form_batches()

        (intent,) = house.intents("supersede")
        payload = json.loads(intent.payload)
        old = BatchLeaf.decode(bytes.fromhex(payload["old"]["leaf"]))
        assert old.fingerprint.hex() == first["fingerprint"]
        assert (payload["old"]["sequence"], payload["new"]["sequence"]) == (1, 2)
        assert (intent.subject_id, bool(intent.held)) == (first["id"], False)

    @pytest.mark.parametrize(
        ("slot", "code"),
        [
            (SlotState(13300, 0, 1, 0, 1, 1, 0, 0), "invoice-locked"),
            (SlotState(13300, 100, 1, 0, 0, 1, 0, 1), "invoice-settled"),
        ],
    )
    def test_a_bill_held_on_the_ledger_is_not_corrected(
        self, house: House, sample: Invoice, slot: SlotState, code: str
    ) -> None:
        first = house.post(sample).json
        house.form_batches()
        house.ledger.slots[bytes.fromhex(first["invoice_key"])] = slot

        changed = replace(sample, department="外科")
        answer = house.post(changed, f"/v1/invoices/{first['id']}/corrections")

        assert (answer.status_code, answer.json["code"]) == (409, code)
        assert "/void" in answer.json["detail"]
        assert "红字" in answer.json["detail"]
        assert house.count("invoice_version") == 1

    def test_unknown_is_not_free(self, house: House, sample: Invoice) -> None:
        first = house.post(sample).json
        house.form_batches()
        house.ledger.is_down = True

        changed = replace(sample, department="外科")
        answer = house.post(changed, f"/v1/invoices/{first['id']}/corrections")

        assert (answer.status_code, answer.json["code"]) == (503, "ledger-unavailable")
        assert answer.json["retryable"] is True

    def test_identity_and_colour_stay(self, house: House, sample: Invoice) -> None:
        path = f"/v1/invoices/{house.post(sample).json['id']}/corrections"

        other = house.post(numbered(sample, "0000000009"), path)
        red = house.post(replace(red_of(sample, "0012345678"), related_invoice_number="1" * 10),
                         path)  # fmt: skip

        assert [e["code"] for e in other.json["errors"]] == ["identity-differs"]
        assert [e["pointer"] for e in other.json["errors"]] == ["/EinvoiceNumber"]
        assert [e["code"] for e in red.json["errors"]] == ["kind-differs"]

    def test_a_void_bill_is_not_corrected(self, house: House, sample: Invoice) -> None:
        invoice_id = house.post(sample).json["id"]
        house.post_json(f"/v1/invoices/{invoice_id}/void", {"reason": "other"})

        changed = replace(sample, department="外科")
        answer = house.post(changed, f"/v1/invoices/{invoice_id}/corrections")

        assert (answer.status_code, answer.json["code"]) == (409, "invoice-ended")


class TestVoid:
    def test_a_batched_bill_is_voided_on_the_ledger_once(
        self, house: House, sample: Invoice
    ) -> None:
        invoice_id = house.post(sample).json["id"]
        house.form_batches()
        for _ in range(2):
            answer = house.post_json(f"/v1/invoices/{invoice_id}/void", {"reason": "wrong-patient"})
            assert answer.status_code == 200

        (intent,) = house.intents("void")
        payload = json.loads(intent.payload)
        assert payload["reason"] == 2
        assert payload["position"]["sequence"] == 1
        assert answer.json["ledger_calls"][0]["kind"] == "void"

    @pytest.mark.parametrize(
        "body", [{}, {"reason": "x"}, {"reason": 1}, [], {"reason": "other", "x": "y"}]
    )
    def test_a_reason_is_one_of_the_list(self, house: House, sample: Invoice, body: object) -> None:
        invoice_id = house.post(sample).json["id"]

        answer = house.post_json(f"/v1/invoices/{invoice_id}/void", body)

        assert (answer.status_code, answer.json["code"]) == (400, "malformed-request")
        assert house.get(f"/v1/invoices/{invoice_id}").json["state"] == "active"


class TestRedBills:
    def test_a_red_bill_reverses_its_original(self, house: House, sample: Invoice) -> None:
        original = house.post(sample).json
        house.form_batches()
        anchor_all(house)

        red = house.post(red_of(sample, "0012345699"), form="xml")

        assert red.status_code == 201, red.text
        assert (red.json["kind"], red.json["total_fen"]) == ("red", -13300)
        assert red.json["original_id"] == original["id"]
        assert house.get(f"/v1/invoices/{original['id']}").json["state"] == "reversed"
        assert house.intents("reverse") == []
        house.form_batches()
        (intent,) = house.intents("reverse")
        payload = json.loads(intent.payload)
        leaf = BatchLeaf.decode(bytes.fromhex(payload["red"]["leaf"]))
        assert (leaf.kind, leaf.total_fen, leaf.borne_fen) == (RecordKind.RED, 0, 0)
        assert intent.subject_id == original["id"]

    def test_a_red_bill_may_come_first(self, house: House, sample: Invoice) -> None:
        red = house.post(red_of(sample, "0012345699")).json
        assert red["original_id"] is None

        original = house.post(sample).json

        assert original["state"] == "reversed"
        assert house.get(f"/v1/invoices/{red['id']}").json["original_id"] == original["id"]
        house.form_batches()
        assert len(house.intents("reverse")) == 1

    def test_a_second_red_bill_is_refused(self, house: House, sample: Invoice) -> None:
        house.post(sample)
        house.post(red_of(sample, "0012345699"))

        answer = house.post(red_of(sample, "0012345698"))

        assert (answer.status_code, answer.json["code"]) == (409, "red-bill-refused")
        assert house.count("invoice") == 2

    def test_a_partial_red_bill_is_refused(self, house: House, sample: Invoice) -> None:
        house.post(numbered(sample, "0012345678", lines=sample.lines, total_fen=13300))
        part = replace(sample, total_fen=1500, own_pay_fen=1500, items=sample.items[:1],
                       lines=sample.lines[:1])  # fmt: skip

        answer = house.post(red_of(part, "0012345699"))

        assert (answer.status_code, answer.json["code"]) == (409, "red-bill-refused")
        assert "另开蓝票" in answer.json["detail"]

    def test_a_red_bill_for_other_lines_is_taken_and_reverses_nothing(
        self, house: House, sample: Invoice
    ) -> None:
        original = house.post(sample).json
        wrong = replace(sample, lines=(replace(sample.lines[0], name="别的"), *sample.lines[1:]))
        red = house.post(red_of(wrong, "0012345699"))
        assert red.status_code == 201, red.text
        assert house.get(f"/v1/invoices/{original['id']}").json["state"] == "active"
        with house.services.engine.connect() as connection:
            (row,) = connection.exec_driver_sql(
                "SELECT code, subject, detail FROM alarm WHERE cleared_at IS NULL"
            )
        assert (row.code, row.subject) == ("red-lines-differ", original["id"])
        assert "line 1 no-such-line" in row.detail and "别的" not in row.detail
        # The right red bill reverses the whole all the same.
        assert house.post(red_of(sample, "0012345698")).status_code == 201
        assert house.get(f"/v1/invoices/{original['id']}").json["state"] == "reversed"

    def test_a_red_bill_for_other_lines_may_come_first_and_reverses_nothing(
        self, house: House, sample: Invoice
    ) -> None:
        wrong = replace(sample, lines=(replace(sample.lines[0], name="别的"), *sample.lines[1:]))
        house.post(red_of(wrong, "0012345699"))
        original = house.post(sample).json
        assert house.get(f"/v1/invoices/{original['id']}").json["state"] == "active"

    def test_a_digital_tax_invoice_is_reversed_in_parts(
        self, house: House, sample: Invoice
    ) -> None:
        tax = replace(sample, invoice_code="", invoice_number="2" * 20, check_code="")
        original = house.post(tax).json
        first = replace(tax, total_fen=1500, own_pay_fen=1500, items=tax.items[:1],
                        lines=tax.lines[:1])  # fmt: skip
        rest = replace(tax, total_fen=11800, own_pay_fen=11800, items=tax.items[1:],
                       lines=tax.lines[1:])  # fmt: skip
        path = f"/v1/invoices/{original['id']}"

        assert house.post(red_of(first, "3" * 20)).status_code == 201
        assert house.get(path).json["state"] == "active"
        beyond = house.post(red_of(tax, "4" * 20))
        assert (beyond.status_code, beyond.json["code"]) == (409, "red-bill-refused")
        assert "超过原票" in beyond.json["detail"]
        assert house.post(red_of(rest, "5" * 20)).status_code == 201
        assert house.get(path).json["state"] == "reversed"

    def test_a_refund_is_red_and_a_new_blue_bill(self, house: House, sample: Invoice) -> None:
        rest = replace(sample, total_fen=1500, own_pay_fen=1500, items=sample.items[:1],
                       lines=sample.lines[:1], self_expense_fen=1500)  # fmt: skip
        answers = [
            house.post(sample),
            house.post(red_of(sample, "0012345699")),
            house.post(numbered(rest, "0012345700")),
        ]

        assert [a.status_code for a in answers] == [201, 201, 201]
        states = {row["EinvoiceNumber"]: row["state"]
                  for row in house.get("/v1/invoices").json["invoices"]}  # fmt: skip
        assert states == {
            "0012345678": "reversed", "0012345699": "active", "0012345700": "active",
        }  # fmt: skip


class TestKinds:
    def test_a_bill_settled_online_says_so(self, house: House, sample: Invoice) -> None:
        paid = replace(sample, fund_pay_fen=8000, own_pay_fen=5300, self_expense_fen=None)
        body = house.post(paid).json
        assert (body["kind"], body["borne_fen"]) == ("settled", 8000)

    def test_borne_is_never_the_patients_money(self, house: House, sample: Invoice) -> None:
        other = replace(sample, other_pay_fen=3000, account_pay_fen=1000, own_pay_fen=9300)
        body = house.post(other).json
        assert (body["kind"], body["borne_fen"]) == ("claimable", 3000)


class TestDisputes:
    def both(self, house: House, sample: Invoice) -> tuple[str, str]:
        mine = house.post(sample)
        theirs = house.post(custodial(sample))
        assert (mine.status_code, theirs.status_code) == (201, 201)
        return mine.json["id"], theirs.json["id"]

    def rule(self, house: House, upheld: str | None) -> str:
        with house.services.work(write=False) as work:
            (dispute,) = work.disputes.unsettled()
        ruled = rule_dispute(
            house.services,
            dispute.id,
            upheld_invoice_id=upheld,
            by="测试经办",
            reason="核对原件",
            registrar=REGISTRAR,
        )
        return ruled.state

    def test_both_are_held_and_a_person_is_called(self, house: House, sample: Invoice) -> None:
        mine, theirs = self.both(house, sample)

        for invoice_id, code in ((mine, FIRST), (theirs, SECOND)):
            (row,) = house.get(f"/v1/invoices/{invoice_id}/disputes", code).json["disputes"]
            assert (row["state"], row["upheld"]) == ("open", None)
        with house.services.work(write=False) as work:
            assert [a.code for a in work.alarms.open_alarms()] == ["invoice-number-disputed"]
        # Evidence is anchored all the same.
        assert house.form_batches() == 2

    def test_a_ruling_upholds_one(self, house: House, sample: Invoice) -> None:
        mine, theirs = self.both(house, sample)

        assert self.rule(house, mine) == "ruled"

        assert house.intents("rule") == []
        assert house.get(f"/v1/invoices/{mine}/disputes").json["disputes"][0]["upheld"] is True
        other = house.get(f"/v1/invoices/{theirs}/disputes", SECOND).json["disputes"][0]
        assert other["upheld"] is False

    def test_a_foreign_binding_is_cleared_first(self, house: House, sample: Invoice) -> None:
        mine, _ = self.both(house, sample)
        key = bytes.fromhex(house.get(f"/v1/invoices/{mine}").json["invoice_key"])
        house.ledger.slots[key] = SlotState(13300, 0, (2 << 32) | (1 << 10), 0, 0, 1, 0, 0)

        assert self.rule(house, mine) == "ruling"
        (intent,) = house.intents("rule")
        assert (intent.account, bool(intent.held)) == (REGISTRAR, True)
        assert json.loads(intent.payload)["invoice_key"] == key.hex()
        with house.services.work() as work:
            work.outbox.set_state([intent.id], IntentState.FINAL, outcome="done")
            work.commit()
        house.form_batches()
        row = house.get(f"/v1/invoices/{mine}/disputes").json["disputes"][0]
        assert (row["state"], row["upheld"]) == ("ruled", True)

    def test_a_lock_stops_the_ruling(self, house: House, sample: Invoice) -> None:
        mine, _ = self.both(house, sample)
        key = bytes.fromhex(house.get(f"/v1/invoices/{mine}").json["invoice_key"])
        house.ledger.slots[key] = SlotState(13300, 0, 1, 0, 2, 1, 0, 0)

        with pytest.raises(DisputeError, match="lock or a settlement"):
            self.rule(house, mine)

    def test_an_unknown_ledger_stops_the_ruling(self, house: House, sample: Invoice) -> None:
        mine, _ = self.both(house, sample)
        house.ledger.is_down = True

        with pytest.raises(LedgerUnavailableError, match="no ledger node"):
            self.rule(house, mine)
