"""A hospital over its own API: reads the findings that concern it, answers and appeals in time."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from backend.adapters.database import tables
from backend.domain.supervision import Source, State, StepKind, SubjectKind
from backend.entrypoints.web import create_app
from backend.service_layer.claims.submit import submit
from backend.service_layer.supervision.cases import Act, take_step
from backend.service_layer.supervision.lead_records import Subject
from backend.service_layer.supervision.leads import open_lead
from scripts.hospital_agent import findings
from scripts.hospital_agent.agent import AgentError, Answer, HospitalAgent
from tests.integration.claims.world import HOSPITAL, NOW
from tests.integration.supervision.case_file import CLERK, DECIDER, FINDER, REPORTER, CaseFile

OTHER = "H33080200002"
KEYS = {HOSPITAL: "k" * 32, OTHER: "o" * 32}
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
WORDS = {"text": "该项目按医嘱分次执行，附清单"}
DAY = dt.date(2026, 11, 3)


def attached(data: bytes, name: str = "清单.pdf", **change: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "content": base64.b64encode(data).decode(),
    }
    return {key: value for key, value in {**row, **change}.items() if value is not None}


@dataclass
class Counter:
    """The two hospitals' calls of the API."""

    client: FlaskClient

    def call(self, method: str, path: str, body: Any = None, code: str = HOSPITAL) -> Any:
        headers = {"Authorization": f"Bearer {KEYS[code]}"} if code else {}
        return self.client.open(path, method=method, json=body, headers=headers)

    def get(self, path: str, code: str = HOSPITAL) -> Any:
        return self.call("GET", path, code=code)

    def post(self, path: str, body: Any, code: str = HOSPITAL) -> Any:
        return self.call("POST", path, body, code)


def counter_of(case_file: CaseFile) -> Counter:
    services = case_file.services
    with services.engine.begin() as connection:
        connection.execute(
            tables.institution.insert().values(
                code=OTHER, name="示例市第二医院", level=2, area_code="330800", custody="self",
                agreement_from=dt.date(2020, 1, 1), agreement_until=dt.date(2030, 1, 1),
                grace_days=90, ledger_number=2, ledger_account="0x" + "0" * 38 + "B2",
                created_at=NOW,
            )
        )  # fmt: skip
    with services.work() as work:
        for code, key in KEYS.items():
            work.institutions.add_key(f"key_{code}", code, key)
        work.commit()
    return Counter(create_app(services).test_client())


def asked(case_file: CaseFile) -> str:
    lead_id = case_file.open()
    case_file.do(lead_id, StepKind.ASKED)
    return lead_id


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


# --- reading -----------------------------------------------------------------------------------


def test_a_hospital_reads_what_it_was_asked_and_answers_it_once(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    (row,) = api.get("/v1/findings").get_json()["findings"]
    assert (row["id"], row["state"], row["due_on"]) == (lead_id, "asked", "2026-12-04")
    assert row["steps"][0]["text"] == "理由 asked"
    href = row["links"]["answer"]["href"]
    assert href == f"/v1/findings/{lead_id}/answer"
    body = WORDS | {"attachments": [attached(PDF), attached(b"kept", "原件", content=None)]}
    taken, again = api.post(href, body), api.post(href, body)
    assert (taken.status_code, again.status_code) == (201, 200)
    assert taken.get_json() == again.get_json()
    sent = taken.get_json()["sent"]["answer"]
    assert sent["text"] == WORDS["text"]
    assert [(one["media_type"], one["bytes"]) for one in sent["attachments"]] == [
        ("application/pdf", len(PDF)), (None, 0)
    ]  # fmt: skip
    assert "answer" not in taken.get_json()["links"]
    view = case_file.view(lead_id)
    assert view.state is State.ANSWERED
    assert (view.steps[-1].by, view.steps[-1].reason) == (f"institution:{HOSPITAL}", WORDS["text"])
    digest = hashlib.sha256(PDF).digest()
    assert case_file.services.material_store.get(digest) == PDF


def test_a_hospital_appeals_a_finding_in_time(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), case_file.found(500)
    one = api.get(f"/v1/findings/{lead_id}").get_json()
    assert (one["amount_fen"], set(one["links"])) == (500, {"self", "appeal"})
    assert api.post(f"/v1/findings/{lead_id}/appeal", WORDS).status_code == 201
    assert case_file.view(lead_id).state is State.APPEALED
    assert case_file.do(lead_id, StepKind.REVIEWED, DECIDER, "upheld") is State.UPHELD
    shown = api.get(f"/v1/findings/{lead_id}").get_json()
    assert (shown["state"], shown["is_final"], shown["due_on"]) == ("upheld", True, None)


def test_another_hospitals_finding_is_not_there(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    assert api.get("/v1/findings", OTHER).get_json()["findings"] == []
    answers = [
        api.get(f"/v1/findings/{lead_id}", OTHER),
        api.post(f"/v1/findings/{lead_id}/answer", WORDS, OTHER),
        api.post(f"/v1/findings/{lead_id}/appeal", WORDS, OTHER),
        api.get("/v1/findings/led_none"),
        api.get("/v1/findings/" + "x" * 300),
    ]
    assert [code_of(answer) for answer in answers] == [(404, "not-found")] * 5
    details = {answer.get_json()["detail"] for answer in answers}
    assert len(details) == 1  # the answer does not say which of them it is
    assert api.get(f"/v1/findings?after={lead_id}", OTHER).get_json()["findings"] == []


def test_nothing_is_shown_before_the_hospital_is_asked(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), case_file.open()
    assert api.get("/v1/findings").get_json()["findings"] == []
    assert code_of(api.get(f"/v1/findings/{lead_id}")) == (404, "not-found")
    assert code_of(api.post(f"/v1/findings/{lead_id}/answer", WORDS)) == (404, "not-found")
    case_file.do(lead_id, StepKind.DISMISSED, FINDER)
    assert code_of(api.get(f"/v1/findings/{lead_id}")) == (404, "not-found")


def test_without_a_key_nothing_is_answered(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    for method, path in (
        ("GET", "/v1/findings"), ("GET", f"/v1/findings/{lead_id}"),
        ("POST", f"/v1/findings/{lead_id}/answer"), ("POST", f"/v1/findings/{lead_id}/appeal"),
    ):  # fmt: skip
        answer = api.call(method, path, WORDS if method == "POST" else None, code="")
        assert code_of(answer) == (401, "unauthorized")


def test_the_list_comes_in_pages_and_a_wrong_page_is_refused(case_file: CaseFile) -> None:
    api = counter_of(case_file)
    ids = []
    for number in range(3):
        ids.append(case_file.open(reference=f"R{number}"))
        case_file.do(ids[-1], StepKind.ASKED)
        case_file.services.clock.advance(1)
    first = api.get("/v1/findings?limit=2").get_json()
    assert ([row["id"] for row in first["findings"]], first["next"]) == (ids[:2], ids[1])
    second = api.get(f"/v1/findings?limit=2&after={ids[1]}").get_json()
    assert ([row["id"] for row in second["findings"]], second["next"]) == (ids[2:], None)
    for limit in ("0", "201", "-1", "x", "²", "9" * 40):
        answer = api.get(f"/v1/findings?limit={limit}")
        assert code_of(answer) == (400, "malformed-request"), limit
    assert api.get("/v1/findings?after=led_none").get_json()["findings"] == []


def test_a_finding_names_nobody_whom_the_hospital_has_not_named(case_file: CaseFile) -> None:
    """The claim's person is another one than the bill's text says; the reporter is a citizen."""
    api, world = counter_of(case_file), case_file.world
    person = world.person("张保密")
    bill = world.bill(person, 400, DAY, payer_name="李票面")
    world.anchor()
    (claim,) = submit(world.services, person.id, [bill], "t" * 43, has_consent=True).claims
    with world.services.work() as work:
        lead = open_lead(
            world.services, work, Source.REPORT, Subject(SubjectKind.CLAIM, claim.id),
            "举报人王某，电话13912345678", by=REPORTER,
        )  # fmt: skip
        work.commit()
    question = (
        f"张保密（李票面）的申请 {claim.number}，身份证 33080219850101001X，电话 13912345678，"
        f"证件 {person.identity_number}：为什么重复收费"
    )
    take_step(world.services, lead.id, Act(StepKind.ASKED, CLERK, question))
    answer = api.get(f"/v1/findings/{lead.id}")
    text = json.dumps(answer.get_json(), ensure_ascii=False)
    for secret in ("张保密", claim.number, claim.id, "33080219850101001X", "13912345678", "王某",
                   REPORTER, CLERK):  # fmt: skip
        assert secret not in text, secret
    assert "李票面" in text and "为什么重复收费" in text  # on the bill that it uploaded
    assert answer.get_json()["bill"]["id"] == bill


# --- answering ---------------------------------------------------------------------------------


def test_after_the_last_day_an_answer_is_refused_with_what_to_do(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    case_file.days(14)  # 4 December: the last day itself
    assert api.get(f"/v1/findings/{lead_id}").get_json()["links"].keys() == {"self", "answer"}
    case_file.days(1)
    answer = api.post(f"/v1/findings/{lead_id}/answer", WORDS)
    problem = answer.get_json()
    assert code_of(answer) == (409, "lead-too-late")
    assert "2026-12-04" in problem["detail"] and "书面交经办机构" in problem["detail"]
    assert "not taken" in problem["detail_en"]
    assert api.get(f"/v1/findings/{lead_id}").get_json()["links"].keys() == {"self"}
    assert case_file.view(lead_id).state is State.ASKED
    assert case_file.do(lead_id, StepKind.ANSWERED) is State.ANSWERED  # on paper, by a clerk


def test_an_answer_in_time_is_answered_the_same_after_the_last_day(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    first = api.post(f"/v1/findings/{lead_id}/answer", WORDS).get_json()
    case_file.days()
    again = api.post(f"/v1/findings/{lead_id}/answer", WORDS)
    assert (again.status_code, again.get_json()["sent"]) == (200, first["sent"])


def test_after_the_last_day_an_appeal_is_refused(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), case_file.final()
    answer = api.post(f"/v1/findings/{lead_id}/appeal", WORDS)
    assert code_of(answer) == (409, "lead-too-late")
    assert "administrative department" in answer.get_json()["detail_en"]
    assert case_file.view(lead_id).state is State.FOUND


def test_a_second_other_statement_and_one_that_nobody_waits_for_are_refused(
    case_file: CaseFile,
) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    place = f"/v1/findings/{lead_id}"
    assert code_of(api.post(f"{place}/appeal", WORDS)) == (409, "lead-wrong-step")
    assert api.post(f"{place}/answer", WORDS).status_code == 201
    for other in ({"text": "改口"}, WORDS | {"attachments": [attached(PDF)]}):
        answer = api.post(f"{place}/answer", other)
        assert code_of(answer) == (409, "finding-answered")
        assert "stands" in answer.get_json()["detail_en"]
    assert len(case_file.view(lead_id).steps) == 3
    on_paper = case_file.open(reference="paper")
    case_file.do(on_paper, StepKind.ASKED)
    case_file.do(on_paper, StepKind.ANSWERED)  # taken down by a clerk
    assert code_of(api.post(f"/v1/findings/{on_paper}/answer", WORDS)) == (409, "lead-wrong-step")


OVER = [
    ({"text": ""}, "lead-bad-step"),
    ({"text": " "}, "lead-bad-step"),
    ({"text": "长" * 2_001}, "lead-bad-step"),
    ({"text": "零\x00"}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(PDF), attached(PDF, "又")]}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(b"%d" % n, content=None) for n in range(6)]},
     "lead-bad-step"),
    (WORDS | {"attachments": [attached(PDF, sha256="0" * 64)]}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(PDF, "")]}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(PDF, "长" * 121)]}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(b"x" * (4 * 2**20 + 1))]}, "lead-bad-step"),
    (WORDS | {"attachments": [attached(b"x" * 2_800_000), attached(b"y" * 2_800_000)]},
     "lead-bad-step"),
    (WORDS | {"attachments": [attached(b"MZ no picture")]}, "material-refused"),
    (WORDS | {"attachments": [attached(PDF[:-6])]}, "material-refused"),
]  # fmt: skip


def test_what_is_over_the_limits_is_refused_and_leaves_nothing(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    for body, code in OVER:
        answer = api.post(f"/v1/findings/{lead_id}/answer", body)
        assert code_of(answer) == (422, code), code
    assert len(case_file.view(lead_id).steps) == 2
    with case_file.services.engine.connect() as connection:
        for table in (tables.provider_statement, tables.provider_file):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_a_body_that_is_no_statement_is_refused(case_file: CaseFile) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    place, headers = f"/v1/findings/{lead_id}/answer", {"Authorization": f"Bearer {KEYS[HOSPITAL]}"}
    row = attached(PDF)
    for body in (
        b"", b"[]", b"{", b'{"text": 1}', b'{"text": "a", "text": "b"}', b'{"text": "\\ud800"}',
        b'{"text": "a", "by": "x"}', b'{"text": "a", "attachments": {}}',
        b'{"text": "a", "attachments": ["x"]}', b"[" * 5_000, b'{"attachments": []}',
        json.dumps({"text": "a", "attachments": [row | {"sha256": "zz"}]}).encode(),
        json.dumps({"text": "a", "attachments": [row | {"sha256": "00" * 31}]}).encode(),
        json.dumps({"text": "a", "attachments": [row | {"content": "@@@"}]}).encode(),
        json.dumps({"text": "a", "attachments": [row | {"path": "/etc"}]}).encode(),
        json.dumps({"text": "a", "attachments": [{"name": "a"}]}).encode(),
    ):  # fmt: skip
        answer = api.client.post(place, data=body, headers=headers, content_type="application/json")
        assert code_of(answer) == (400, "malformed-request"), body[:60]
    other_type = api.client.post(place, data=b"a=1", headers=headers)
    assert other_type.status_code == 415
    large = api.client.post(
        place, data=b"x" * (8 * 2**20 + 1), headers=headers, content_type="application/json"
    )
    assert large.status_code == 413
    assert len(case_file.view(lead_id).steps) == 2


# --- in the database ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_database_refuses_a_change_another_hospital_and_a_late_day(
    any_case_file: CaseFile,
) -> None:
    case_file = any_case_file
    api, lead_id = counter_of(case_file), asked(case_file)
    body = WORDS | {"attachments": [attached(PDF)]}
    assert api.post(f"/v1/findings/{lead_id}/answer", body).status_code == 201
    engine = case_file.services.engine
    for statement in (
        "UPDATE provider_statement SET text = 'x'",
        "DELETE FROM provider_statement",
        "UPDATE provider_file SET name = 'x'",
        "DELETE FROM provider_file",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="is insert-only"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    row = {
        "lead_id": lead_id, "kind": "appealed", "institution_code": HOSPITAL, "ordinal": 3,
        "text": "x", "digest": bytes(32), "received_at": NOW,
        "received_on": dt.date(2026, 12, 4), "due_on": dt.date(2026, 12, 4),
    }  # fmt: skip
    for change in (
        {"institution_code": OTHER},
        {"received_on": dt.date(2026, 12, 5)},
        {"kind": "found"},
        {"ordinal": 9},
        {"kind": "answered"},
    ):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.execute(tables.provider_statement.insert().values(row | change))


def test_the_routes_are_described(case_file: CaseFile) -> None:
    api = counter_of(case_file)
    paths = api.client.get("/v1/openapi.json").get_json()["paths"]
    assert {path: set(item) for path, item in paths.items() if "findings" in path} == {
        "/v1/findings": {"get"},
        "/v1/findings/{finding_id}": {"get"},
        "/v1/findings/{finding_id}/answer": {"post"},
        "/v1/findings/{finding_id}/appeal": {"post"},
    }


# --- the hospital's agent ----------------------------------------------------------------------


def agent_of(api: Counter) -> HospitalAgent:
    def transport(method: str, path: str, *, data: bytes | None, headers: dict[str, str]) -> Answer:
        answer = api.client.open(path, method=method, data=data, headers=headers)
        return Answer(answer.status_code, answer.get_json())

    return HospitalAgent("http://backend", KEYS[HOSPITAL], transport=transport)


def test_the_agent_lists_answers_and_is_told_why_not(case_file: CaseFile, tmp_path: Path) -> None:
    api, lead_id = counter_of(case_file), asked(case_file)
    agent, run = agent_of(api), CliRunner().invoke
    (tmp_path / "words.txt").write_text("附清单", encoding="utf-8")
    (tmp_path / "list.pdf").write_bytes(PDF)
    (tmp_path / "large.pdf").write_bytes(b"x" * (4 * 2**20 + 1))
    assert f"{lead_id}\tasked\t2026-12-04\tanswer" in run(findings.findings, [], obj=agent).output
    words = [lead_id, "--text-file", str(tmp_path / "words.txt")]
    large = run(findings.answer, [*words, "--attach", str(tmp_path / "large.pdf")], obj=agent)
    assert (large.exit_code, "larger than 4 MB" in large.output) == (2, True)
    early = run(findings.appeal, words, obj=agent)
    assert isinstance(early.exception, AgentError) and early.exception.code == "lead-wrong-step"
    both = [*words, "--attach", str(tmp_path / "list.pdf"), "--digest", str(tmp_path / "words.txt")]
    for _ in range(2):
        assert "answered\t已送达" in run(findings.answer, both, obj=agent).output
    shown = json.loads(run(findings.findings, [lead_id], obj=agent).output)
    assert [one["name"] for one in shown["sent"]["answer"]["attachments"]] == [
        "list.pdf", "words.txt",
    ]  # fmt: skip
    foreign = run(findings.findings, ["../institution"], obj=agent)
    assert isinstance(foreign.exception, AgentError) and foreign.exception.status == 404
