"""web3.py as scripts use it: deploy from an ABI, transact, filter events, wait, read errors."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import (
    BlockNotFound,
    ContractCustomError,
    TimeExhausted,
    TransactionNotFound,
    Web3RPCError,
)
from web3.logs import DISCARD

from backend.contracts import load_contract

from .conftest import KEY0, Ledger, OpenLedger

DAY = 86_400
STRANGER = Web3.to_checksum_address("0x" + "11" * 20)
CODE = b"H1".ljust(16, b"\x00")


def deploy(w3: Web3) -> Contract:
    """The project's Registry, deployed with web3.py's own machinery by an unlocked account."""
    admin = w3.eth.accounts[0]
    compiled = load_contract("Registry")
    factory = w3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode)
    sent = factory.constructor(DAY, DAY, admin, admin, admin, admin).transact({"from": admin})
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=20)
    assert receipt["status"] == 1
    return w3.eth.contract(address=receipt["contractAddress"], abi=compiled.abi)


def test_deploy_transact_and_filter_events(ledger: Ledger) -> None:
    w3 = ledger.web3
    registry = deploy(w3)
    admin, hospital, payer = w3.eth.accounts[:3]
    before = w3.eth.block_number
    terms = (0, 2**32 - 1, 0, 1)
    call = registry.functions.registerInstitution(CODE, *terms, hospital)
    assert call.call({"from": admin}) == 1
    estimate = call.estimate_gas({"from": admin})
    sent = call.transact({"from": admin})
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=20)
    assert receipt["gasUsed"] <= estimate < receipt["gasUsed"] * 1.2
    w3.eth.wait_for_transaction_receipt(
        registry.functions.registerPayer(1, payer).transact({"from": admin}), timeout=20
    )
    named = registry.events.InstitutionRegistered().get_logs(from_block=before)
    assert [event["args"]["code"] for event in named] == [CODE]
    assert named[0]["transactionHash"] == sent
    chosen = registry.events.AccountAdded().get_logs(
        from_block=0, argument_filters={"account": payer}
    )
    assert [event["args"]["account"] for event in chosen] == [payer]
    event = registry.events.InstitutionRegistered()
    assert event.process_receipt(receipt, errors=DISCARD)[0]["args"] == named[0]["args"]
    assert registry.functions.institutionOf(hospital).call() == 1
    assert registry.functions.institutionOf(hospital).call(block_identifier=before) == 0
    assert registry.functions.institution(1).call()[0] == CODE


def test_custom_error_of_a_contract_is_raised_with_its_arguments(ledger: Ledger) -> None:
    w3 = ledger.web3
    registry = deploy(w3)
    admin = w3.eth.accounts[0]
    unknown = registry.functions.suspendInstitution(9, True)
    selector = keccak(b"RegistryInstitutionUnknown(uint16)")[:4].hex()
    for attempt in (unknown.call, unknown.estimate_gas, unknown.transact):
        with pytest.raises(ContractCustomError, match=selector) as caught:
            attempt({"from": admin})
        assert caught.value.data == f"0x{selector}{9:064x}"


def test_key_in_the_script_signs_and_polling_filters_see_it(ledger: Ledger) -> None:
    w3 = ledger.web3
    account = w3.eth.account.from_key(KEY0)
    blocks = w3.eth.filter("latest")
    pending = w3.eth.filter("pending")
    transaction = {
        "nonce": w3.eth.get_transaction_count(account.address, "pending"),
        "to": w3.eth.accounts[1],
        "value": 7,
        "gas": 21_000,
        "gasPrice": w3.eth.gas_price,
        "chainId": w3.eth.chain_id,
    }
    signed = account.sign_transaction(transaction)
    sent = w3.eth.send_raw_transaction(signed.raw_transaction)
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=20)
    assert pending.get_new_entries() == [sent]
    assert blocks.get_new_entries() == [receipt["blockHash"]]
    assert blocks.get_new_entries() == []
    assert bytes(w3.eth.get_raw_transaction(sent)) == bytes(signed.raw_transaction)
    assert [item["transactionHash"] for item in w3.eth.get_block_receipts("latest")] == [sent]
    assert w3.eth.get_transaction(sent)["value"] == 7
    history = w3.eth.fee_history(5, "latest", [50])
    assert history["oldestBlock"] == 0
    assert history["reward"] == [[0], [0]]


def test_log_filter_polls_new_events_once(ledger: Ledger) -> None:
    w3 = ledger.web3
    registry = deploy(w3)
    admin = w3.eth.accounts[0]
    watched = registry.events.Paused().create_filter(from_block="latest")
    assert watched.get_new_entries() == []
    registry.functions.pause().transact({"from": admin})
    assert [event["args"]["account"] for event in watched.get_new_entries()] == [admin]
    assert watched.get_new_entries() == []
    assert len(watched.get_all_entries()) <= 1
    assert w3.eth.uninstall_filter(watched.filter_id)


def test_what_is_not_there_raises_web3s_own_errors(ledger: Ledger) -> None:
    w3 = ledger.web3
    nothing = bytes(32)
    with pytest.raises(TransactionNotFound, match="not found"):
        w3.eth.get_transaction(nothing)
    with pytest.raises(TransactionNotFound, match="not found"):
        w3.eth.get_transaction_receipt(nothing)
    with pytest.raises(BlockNotFound, match="not found"):
        w3.eth.get_block(99)
    with pytest.raises(TimeExhausted, match="is not in the chain after"):
        w3.eth.wait_for_transaction_receipt(nothing, timeout=0.3)
    with pytest.raises(Web3RPCError, match="not recognized or locked"):
        w3.eth.send_transaction(
            {"from": Web3.to_checksum_address("0x" + "11" * 20), "to": nothing[:20]}
        )


def test_london_takes_transactions_of_type_2(open_ledger: OpenLedger) -> None:
    """With a base fee web3.py fills in the fees itself, asking for them."""
    w3 = open_ledger(hardfork="london").web3
    first, second = w3.eth.accounts[:2]
    sent = w3.eth.send_transaction({"from": first, "to": second, "value": 1})
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=20)
    assert receipt["status"] == 1
    registry = deploy(w3)
    assert registry.functions.counts().call() == [0, 0]
    priced = w3.eth.send_transaction(
        {
            "from": first,
            "to": second,
            "value": 1,
            "maxFeePerGas": w3.to_wei(3, "gwei"),
            "maxPriorityFeePerGas": w3.to_wei(1, "gwei"),
        }
    )
    assert w3.eth.get_transaction(priced)["type"] == 2
    assert w3.eth.get_block("latest")["baseFeePerGas"] > 0
