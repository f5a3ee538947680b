"""How far behind the ledger work is, as /readyz and /metrics say it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import sqlalchemy as sa

from backend.adapters.database.tables import ledger_intent
from backend.entrypoints.web import create_app
from backend.service_layer.anchoring.send import send_queued
from backend.service_layer.anchoring.watch import Watch, watch
from backend.service_layer.metrics_text import to_prometheus
from tests.integration.anchoring.faulty_node import faulty_node
from tests.integration.anchoring.network import CUSTODIAL, TestNetwork
from tests.integration.anchoring.traps.checks import want_one_anchor


@pytest.fixture
def client(network: TestNetwork, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("YICHU_SESSION_KEY", "cd" * 32)
    monkeypatch.setenv("YICHU_WRAPPING_KEY", "cd" * 32)
    monkeypatch.setenv("YICHU_NETWORK_KEY", "cd" * 32)
    return create_app(network.services).test_client()


def make_older(network: TestNetwork, intent_id: str, seconds: int) -> None:
    with network.services.work() as work:
        then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
        work.connection.execute(
            sa.update(ledger_intent).where(ledger_intent.c.id == intent_id).values(created_at=then)
        )
        work.commit()


def figure(text: str, name: str) -> float:
    """The value of one metric line, labels included in ``name``."""
    (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(value)


def test_idle_network_has_no_backlog(network: TestNetwork, client: Any) -> None:
    network.run()
    report = client.get("/readyz").get_json()
    assert report["ready"] is True
    assert report["anchoring"]["backlog"] == {}
    assert report["anchoring"]["pending_by_account"] == {}
    assert report["anchoring"]["oldest_unsent_seconds"] == 0
    assert report["anchoring"]["alarms"] == {}
    assert report["anchoring"]["last_block"] == report["ledger"]["head"]
    text = client.get("/metrics").get_data(as_text=True)
    assert figure(text, "yichu_ready") == figure(text, "yichu_ledger_up") == 1
    assert figure(text, "yichu_anchoring_pending_nonces") == 0


def test_waiting_work_is_counted_by_state_age_and_account(
    network: TestNetwork, client: Any
) -> None:
    account = network.account_of(CUSTODIAL)
    network.rpc("miner_stop")
    try:
        want_one_anchor(network, 1)
        want_one_anchor(network, 2)
        while send_queued(network.deps):
            pass
        make_older(network, want_one_anchor(network, 3), 90)
        report = client.get("/readyz").get_json()
        text = client.get("/metrics").get_data(as_text=True)
    finally:
        network.rpc("miner_start")
    assert report["anchoring"]["backlog"] == {"queued": 1, "sent": 2}
    assert 90 <= report["anchoring"]["oldest_unsent_seconds"] < 120
    assert report["anchoring"]["pending_by_account"] == {account: 2}
    assert report["anchoring"]["last_block_age_seconds"] >= 0
    assert figure(text, 'yichu_anchoring_backlog{state="queued"}') == 1
    assert figure(text, 'yichu_anchoring_backlog{state="sent"}') == 2
    assert figure(text, f'yichu_anchoring_pending_by_account{{account="{account}"}}') == 2
    assert 90 <= figure(text, "yichu_anchoring_oldest_unsent_seconds") < 120
    assert figure(text, "yichu_anchoring_last_block") == report["anchoring"]["last_block"]
    assert "# TYPE yichu_anchoring_backlog gauge" in text
    assert "# HELP yichu_anchoring_pending_nonces" in text


def test_silent_ledger_is_late_and_not_unready_and_the_alarm_says_why(
    network: TestNetwork, client: Any
) -> None:
    with faulty_node(network.url) as node:
        behind = TestNetwork(node.url, network.folder)
        watch(behind.deps, Watch(0, 20))
        node.drop_before()
        want_one_anchor(behind)
        watch(behind.deps, Watch(0, 20))
        app = create_app(behind.services).test_client()
        answer = app.get("/readyz")
        text = app.get("/metrics").get_data(as_text=True)
        behind.close()
    assert answer.status_code == 200  # uploads and claims are still accepted
    assert answer.get_json()["ledger"] == "unavailable"
    assert answer.get_json()["anchoring"]["alarms"]["node-failing"] == 1
    assert figure(text, "yichu_ledger_up") == 0
    assert figure(text, 'yichu_anchoring_alarms{code="node-failing"}') == 1


def test_database_that_does_not_answer_is_not_ready(
    network: TestNetwork, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> Any:
        raise sa.exc.OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(network.services, "work", broken)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["database"] == "unavailable"
    assert answer.get_json()["ledger"] == "unknown"
    assert figure(network.services.metrics(), "yichu_database_up") == 0


def test_metric_lines_are_well_formed() -> None:
    text = to_prometheus(
        {
            "ready": True,
            "database": "ok",
            "ledger": "unavailable",
            "anchoring": {"alarms": {'odd"code\\': 2}, "pending_nonces": 3, "note": "a text"},
        }
    )
    assert text.splitlines() == [
        "# HELP yichu_ready 1 when requests can be served",
        "# TYPE yichu_ready gauge",
        "yichu_ready 1",
        "# HELP yichu_anchoring_alarms open alarms",
        "# TYPE yichu_anchoring_alarms gauge",
        'yichu_anchoring_alarms{code="odd\\"code\\\\"} 2',
        "# HELP yichu_anchoring_pending_nonces transactions that are signed and not mined",
        "# TYPE yichu_anchoring_pending_nonces gauge",
        "yichu_anchoring_pending_nonces 3",
        "# HELP yichu_database_up 1 when the database answers",
        "# TYPE yichu_database_up gauge",
        "yichu_database_up 1",
        "# HELP yichu_ledger_up 1 when a ledger node of the right network answers",
        "# TYPE yichu_ledger_up gauge",
        "yichu_ledger_up 0",
    ]
