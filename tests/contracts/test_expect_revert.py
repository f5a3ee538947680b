"""The function that the refusal tests rest on must itself fail when it should."""

from __future__ import annotations

import pytest
from eth_tester.exceptions import TransactionFailed
from web3.exceptions import ContractPanicError

from tests.contracts.chain import Chain, expect_revert


def test_it_passes_on_the_right_error_and_arguments(chain: Chain) -> None:
    with expect_revert(chain.ledger, "LedgerNotPayer", chain.accounts["stranger"]):
        chain.send(chain.ledger.functions.settleBatch([]), "stranger")


def test_it_fails_when_nothing_reverts(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match="nothing reverted, LedgerNotPayer was expected"),
        expect_revert(chain.ledger, "LedgerNotPayer", chain.accounts["basic"]),
    ):
        chain.send(chain.ledger.functions.settleBatch([]), "basic")


def test_it_fails_when_another_error_reverts(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match="not with LedgerNotRegistrar"),
        expect_revert(chain.ledger, "LedgerNotRegistrar", chain.accounts["stranger"]),
    ):
        chain.send(chain.ledger.functions.settleBatch([]), "stranger")


def test_it_fails_when_the_arguments_differ(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match=r"LedgerNotPayer.*, not LedgerNotPayer"),
        expect_revert(chain.ledger, "LedgerNotPayer", chain.accounts["basic"]),
    ):
        chain.send(chain.ledger.functions.settleBatch([]), "stranger")


def test_it_fails_on_a_string_reason(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match="reverted with a text"),
        expect_revert(chain.registry, "RegistryFull"),
    ):
        raise TransactionFailed("execution reverted: not today")


def test_it_fails_on_an_empty_revert(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match="reverted with , not with RegistryFull"),
        expect_revert(chain.registry, "RegistryFull"),
    ):
        raise TransactionFailed("execution reverted: b''")


def test_it_fails_on_a_panic(chain: Chain) -> None:
    with (
        pytest.raises(AssertionError, match="panicked instead of RegistryFull"),
        expect_revert(chain.registry, "RegistryFull"),
    ):
        raise ContractPanicError("overflow")


def test_it_lets_a_foreign_exception_pass(chain: Chain) -> None:
    with pytest.raises(ValueError, match="foreign"), expect_revert(chain.registry, "RegistryFull"):
        raise ValueError("foreign")
