"""The doctor on a real development ledger with contracts, keys and roles, and with each spoiled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from backend.adapters.ledger.diagnosis import Finding, Verdict
from backend.adapters.ledger.doctor import Expectation, examine
from backend.adapters.ledger.inclusion import examine_keystores, examine_roles, try_inclusion
from backend.adapters.ledger.keystores import SCRYPT_CHEAP, Keystores
from backend.domain.finality import FinalityRule
from backend.service_layer.anchoring.model import Fees
from tests.integration.anchoring.network import PASSWORD, TestNetwork


def wrong(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(f.check, f.en) for f in findings if f.verdict is Verdict.BAD]


def roles_of(network: TestNetwork, keystores: Keystores) -> list[tuple[str, str]]:
    services = network.services
    return wrong(examine_roles(services.ledger.rpc, keystores, services.ledger.deployment()))


def test_deployed_ledger_with_its_keys_has_no_problem(network: TestNetwork) -> None:
    services = network.services
    network.payer_account(1)
    expected = Expectation("legacy-zero", FinalityRule(), services.ledger.deployment())
    assert wrong(examine([network.url], expected)) == []
    assert wrong(examine_keystores(services.keystores)) == []
    assert roles_of(network, services.keystores) == []


def test_transactions_are_tried_up_to_the_largest(network: TestNetwork) -> None:
    found = list(try_inclusion([network.url], network.services.keystores, lambda _: Fees(0)))
    assert [(f.verdict, f.check) for f in found] == [
        (Verdict.GOOD, "inclusion"),
        (Verdict.GOOD, "128 KB included"),
    ]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("registrar", "lacks the role REGISTRAR_ROLE"),
        ("policy-publisher", "lacks the role POLICY_PUBLISHER_ROLE"),
        ("pauser", "lacks the role PAUSER_ROLE"),
        ("payer-9", "is not registered as payer-9"),
        ("institution-X99", "is not registered as institution-X99"),
    ],
)
def test_account_without_its_role_is_named(
    network: TestNetwork, tmp_path: Path, role: str, message: str
) -> None:
    strangers = Keystores(tmp_path / "strangers", PASSWORD, SCRYPT_CHEAP)
    strangers.create(role)
    ((check, said),) = roles_of(network, strangers)
    assert check == role
    assert said == f"{strangers.account_of(role)} {message}"


def test_keystore_that_does_not_open_is_named(network: TestNetwork) -> None:
    locked = Keystores(network.folder / "keystores", "another password", SCRYPT_CHEAP)
    found = wrong(examine_keystores(locked))
    assert {check for check, _ in found} == {"keystore"}
    said = "\n".join(text for _, text in found)
    assert "keystore registrar does not open: wrong password or changed file" in said
