"""A rule of finality that is not the network's: the worker does not start, and nothing is sent."""

from __future__ import annotations

import dataclasses

import pytest

from backend.adapters.database.payer_repository import Payer
from backend.adapters.ledger.preflight import require_ready
from backend.bootstrap import Services
from backend.domain.finality import FinalityRule
from backend.service_layer.ports import LedgerUnavailableError
from tests.integration.anchoring.network import TestNetwork


def services_with(network: TestNetwork, rule: str) -> Services:
    """The network's services under another rule."""
    with network.services.work() as work:
        work.payers.add(Payer(1, "agency", "basic", network.payer_account(1)))
        work.commit()
    settings = dataclasses.replace(network.settings, finality=FinalityRule.parse(rule))
    services = dataclasses.replace(network.services, settings=settings)
    services.keystores = network.services.keystores
    return services


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("clique", "lists no Clique signers: YICHU_FINALITY=clique:EPOCH must name the epoch"),
        ("qbft", "its extra data is not QBFT's"),
    ],
)
def test_rule_of_another_consensus_stops_the_start(
    network: TestNetwork, rule: str, message: str
) -> None:
    services = services_with(network, rule)
    try:
        with pytest.raises(LedgerUnavailableError, match=message):
            require_ready(services)
    finally:
        services.ledger.close()


def test_rule_of_the_network_lets_it_start(network: TestNetwork) -> None:
    services = services_with(network, "blocks:1")
    try:
        require_ready(services)
    finally:
        services.ledger.close()
