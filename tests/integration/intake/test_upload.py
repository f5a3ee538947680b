"""Uploading over HTTP: one effect however often, everything wrong in one answer, isolation."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.invoice import Invoice
from tests.integration.intake.conftest import EXPIRED, FIRST, SECOND, House, numbered

TABLES = ("invoice", "invoice_version", "expense_line", "ledger_intent", "batch")


def nothing_stored(house: House) -> bool:
    return all(house.count(table) == 0 for table in TABLES)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_bill_is_stored_and_its_keys_answered(house: House, sample: Invoice, form: str) -> None:
    answer = house.post(sample, form=form)

    assert answer.status_code == 201, answer.text
    body = answer.json
    assert answer.headers["Location"] == f"/v1/invoices/{body['id']}"
    assert body["total_fen"] == 13300
    assert body["borne_fen"] == 0
    assert body["kind"] == "claimable"
    assert body["state"] == "active"
    assert body["anchor"]["state"] == "waiting"
    # printf 'yichu-invoice-key/1\\0008+10\\000330601240012345678' |
    #   openssl dgst -sha256 -mac HMAC -macopt hexkey:0101...01
    assert body["invoice_key"] == (
        "24237ac859681aa18d25ce237dc339809ba1f280cf94d62fb553d0b2fc2094b9"
    )
    assert body["second_key"] is None
    assert house.count("expense_line") == 3
    assert house.count("ledger_intent") == 0


def test_the_same_bill_in_the_other_format_is_the_same_resource(
    house: House, sample: Invoice
) -> None:
    first = house.post(sample, form="xml")
    second = house.post(sample, form="json")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json["id"] == second.json["id"]
    assert first.json["fingerprint"] == second.json["fingerprint"]
    assert house.count("invoice_version") == 1


def test_other_content_under_the_number_is_refused_and_names_the_route(
    house: House, sample: Invoice
) -> None:
    first = house.post(sample)
    other = house.post(replace(sample, department="外科"))

    assert other.status_code == 409
    assert other.mimetype == "application/problem+json"
    assert other.json["code"] == "different-content"
    assert f"/v1/invoices/{first.json['id']}/corrections" in other.json["detail"]
    assert house.count("invoice_version") == 1


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_bill_whose_number_has_no_code_is_stored(
    house: House, sample: Invoice, form: str
) -> None:
    bill = replace(sample, invoice_code="", invoice_number="24337000000012345678", check_code="")

    answer = house.post(bill, form=form)

    assert answer.status_code == 201, answer.text
    assert answer.json["EinvoiceCode"] == ""


def test_check_finds_no_fault_and_stores_nothing(house: House, sample: Invoice) -> None:
    answer = house.post(sample, "/v1/invoices/check")

    assert (answer.status_code, answer.json) == (200, {"faults": []})
    assert nothing_stored(house)


def test_another_check_code_is_other_content_and_no_second_bill(
    house: House, sample: Invoice
) -> None:
    house.post(sample)

    assert house.post(replace(sample, check_code="999999")).status_code == 409
    assert house.count("invoice") == 1


def test_ledger_down_delays_and_refuses_nothing(house: House, sample: Invoice) -> None:
    house.ledger.is_down = True

    answer = house.post(sample)

    assert answer.status_code == 201
    assert answer.json["anchor"] == {
        "state": "waiting",
        "zh": "已收下，等待组成批次",
        "en": "accepted, waiting for its batch",
    }


def test_unknown_catalogue_codes_are_accepted_and_marked(house: House, sample: Invoice) -> None:
    body = house.post(sample).json

    assert body["marks"][0] == {"code": "unknown-catalogue-code", "line_index": 0}


class TestSecrets:
    def test_self_custody_without_secret_is_refused(self, house: House, sample: Invoice) -> None:
        headers = {"Authorization": f"Bearer {house.keys[FIRST]}"}
        from backend.adapters.einvoice.writers import invoice_to_json

        answer = house.client.post(
            "/v1/invoices",
            data=invoice_to_json(sample),
            headers=headers,
            content_type="application/json",
        )

        assert (answer.status_code, answer.json["code"]) == (422, "bad-invoice-secret")
        assert nothing_stored(house)

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("Yichu-Fingerprint", "00" * 32, "fingerprint-mismatch"),
            ("Yichu-Fingerprint", "00" * 31, "bad-invoice-secret"),
            ("Yichu-Fingerprint", "zz" * 32, "bad-invoice-secret"),
            ("Yichu-Invoice-Secret", "***", "bad-invoice-secret"),
            ("Yichu-Invoice-Secret", "AAAA", "bad-invoice-secret"),
            ("Yichu-Invoice-Secret", base64.b64encode(bytes(32)).decode(), "bad-invoice-secret"),
            (
                "Yichu-Invoice-Secret",
                base64.b64encode(b"\x07" * 32).decode(),
                "fingerprint-mismatch",
            ),
        ],
    )
    def test_a_wrong_hash_is_refused(
        self, house: House, sample: Invoice, name: str, value: str, code: str
    ) -> None:
        answer = house.post(sample, **{name: value})

        assert (answer.status_code, answer.json["code"]) == (422, code)
        assert nothing_stored(house)

    def test_a_custodial_institution_sends_no_secret(self, house: House, sample: Invoice) -> None:
        own = replace(sample, institution_code=SECOND)

        refused = house.post(own, **{"Yichu-Fingerprint": "00" * 32})

        assert refused.json["code"] == "bad-invoice-secret"
        assert nothing_stored(house)
        assert house.post(own).status_code == 201

    def test_no_answer_holds_the_secret(self, house: House, sample: Invoice) -> None:
        secret = b"\x5a" * 32
        text = house.post(sample, secret=secret).text
        text += house.post(replace(sample, remark="x"), secret=secret).text

        assert secret.hex() not in text
        assert base64.b64encode(secret).decode() not in text


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "pointer", "code"),
        [
            ({"institution_code": SECOND}, "/AgencyCode", "another-institution"),
            ({"total_fen": 13301}, "/AuxItems", "line-sum-differs"),
            ({"own_pay_fen": 13299}, "/ownPayAmount", "payer-split-differs"),
            ({"check_code": "12345"}, "/RandomNumber", "bad-check-code"),
            ({"invoice_number": "123"}, "/EinvoiceNumber", "bad-number-shape"),
        ],
    )
    def test_a_fault_names_field_and_reason_and_stores_nothing(
        self, house: House, sample: Invoice, changes: dict[str, Any], pointer: str, code: str
    ) -> None:
        answer = house.post(replace(sample, **changes), code=FIRST)

        assert answer.status_code == 422
        assert answer.json["type"] == "/problems/invalid-invoice"
        assert answer.json["instance"] == answer.headers["Request-Id"]
        assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json["errors"]]
        assert all(e["zh"] and e["en"] for e in answer.json["errors"])
        assert nothing_stored(house)

    def test_agreement_expired_at_issue(self, house: House, sample: Invoice) -> None:
        import datetime as dt

        own = replace(sample, institution_code=EXPIRED)
        late = numbered(own, "0000000009", issued_on=dt.date(2024, 5, 22))

        accepted, refused = house.post(own), house.post(late)

        assert accepted.status_code == 201
        assert [e["code"] for e in refused.json["errors"]] == ["agreement-expired"]

    def test_the_grace_period_ends(self, house: House, sample: Invoice) -> None:
        house.clock.advance(60 * 86400)

        answer = house.post(replace(sample, institution_code=EXPIRED))

        assert [e["code"] for e in answer.json["errors"]] == ["grace-ended"]
        assert nothing_stored(house)

    @pytest.mark.parametrize(
        ("content_type", "body", "status", "code"),
        [
            ("text/plain", b"{}", 415, "http-415"),
            ("application/json; charset=gbk", b"{}", 415, "http-415"),
            ("application/json", b"{", 400, "malformed-document"),
            ("application/json", b"[]", 400, "malformed-document"),
            ("application/json", b"\xff\xfe{}", 400, "malformed-document"),
            ("application/json", b"[" * 100_000, 400, "malformed-document"),
            ("application/xml", b"<EInvoice/>", 400, "malformed-document"),
            ("application/xml", b"<!DOCTYPE a><EInvoice/>", 400, "malformed-document"),
            ("application/json", b" " * (8 * 2**20 + 1), 413, "http-413"),
        ],
    )
    def test_what_is_no_document_is_refused(
        self, house: House, content_type: str, body: bytes, status: int, code: str
    ) -> None:
        headers = {"Authorization": f"Bearer {house.keys[FIRST]}"}
        answer = house.client.post(
            "/v1/invoices", data=body, content_type=content_type, headers=headers
        )

        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert nothing_stored(house)

    def test_a_chunked_body_over_the_limit_is_too_large(self, house: House) -> None:
        """Without a length the body is cut at the limit: never read as if that were all."""
        answer = house.client.post(
            "/v1/invoices",
            input_stream=io.BytesIO(b"{}" + b" " * (8 * 2**20)),
            content_type="application/json",
            headers={"Authorization": f"Bearer {house.keys[FIRST]}"},
            environ_overrides={"wsgi.input_terminated": True},
        )

        assert (answer.status_code, answer.json["code"]) == (413, "http-413")


class TestNul:
    """PostgreSQL refuses a text with NUL: it must not come as far."""

    @pytest.mark.parametrize(
        "path", ["/v1/invoices/%00", "/v1/invoices?after=%00", "/m/claims/%00", "/v/%00", "/%00"]
    )
    def test_a_path_or_query_with_nul_is_not_found(
        self, house: House, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        def refuse(_: Any, **__: Any) -> Any:
            raise AssertionError("the database was asked")

        monkeypatch.setattr(type(house.services), "work", refuse)
        headers = {"Authorization": f"Bearer {house.keys[FIRST]}"}

        assert house.client.get(path, headers=headers).status_code == 404


class TestKeys:
    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong-key-0123456789", "Basic x"])
    def test_no_view_answers_without_a_live_key(self, house: House, header: str) -> None:
        for method, path in (
            ("GET", "/v1/invoices"),
            ("POST", "/v1/invoices"),
            ("GET", "/v1/invoices/inv_x"),
            ("GET", "/v1/signing-offers/next"),
            ("POST", "/v1/signing-offers/tx_x/raw-transaction"),
        ):
            answer = house.client.open(path, method=method, headers={"Authorization": header})
            assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_revoked_key_is_refused(self, house: House) -> None:
        assert house.get("/v1/invoices").status_code == 200
        with house.services.work() as work:
            work.institutions.revoke_keys(FIRST, house.clock.now())
            work.commit()
        assert house.get("/v1/invoices").status_code == 401

    def test_another_institution_finds_nothing(self, house: House, sample: Invoice) -> None:
        invoice_id = house.post(sample).json["id"]

        for path in ("", "/proof", "/disputes"):
            answer = house.get(f"/v1/invoices/{invoice_id}{path}", SECOND)
            assert (answer.status_code, answer.json["code"]) == (404, "not-found")
        void = house.post_json(f"/v1/invoices/{invoice_id}/void", {"reason": "other"}, SECOND)
        assert void.status_code == 404
        own = replace(sample, institution_code=SECOND)
        assert house.post(own, f"/v1/invoices/{invoice_id}/corrections").status_code == 404
        assert house.get("/v1/invoices", SECOND).json["invoices"] == []


def test_the_list_is_paged_by_cursor(house: House, sample: Invoice) -> None:
    ids = [house.post(numbered(sample, f"{n:010d}")).json["id"] for n in range(5)]

    first = house.get("/v1/invoices?limit=3").json
    second = house.get(f"/v1/invoices?limit=3&after={first['next']}").json

    assert [row["id"] for row in first["invoices"] + second["invoices"]] == sorted(ids)
    assert (first["has_more"], second["has_more"], second["next"]) == (True, False, None)
    found = house.get("/v1/invoices?EinvoiceCode=33060124&EinvoiceNumber=0000000003").json
    assert [row["id"] for row in found["invoices"]] == [ids[3]]
    assert house.get("/v1/invoices?limit=0").json["code"] == "malformed-request"


def test_the_description_names_every_route(house: House) -> None:
    described = house.client.get("/v1/openapi.json").json
    routes = {
        (str(rule.rule).replace("<", "{").replace(">", "}"), method.lower())
        for rule in house.client.application.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    routes -= {("/v1/openapi.json", "get"), ("/v1/{path:unknown}", "get")}

    assert {(p, m) for p, methods in described["paths"].items() for m in methods} == routes
    assert house.client.get("/docs").status_code == 200
    assert house.client.get("/v1/nothing").json["code"] == "not-found"
