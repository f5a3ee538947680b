"""Signing with the ledger's own accounts: transactions, messages (EIP-191, EIP-712)."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_keys import keys
from eth_utils import ValidationError

from backend.entrypoints.devchain.encoding import data
from backend.entrypoints.devchain.engine import Engine
from backend.entrypoints.devchain.errors import invalid_params
from backend.entrypoints.devchain.parameters import take, to_bytes, to_int, to_message


def send_transaction(engine: Engine, params: list[Any]) -> str:
    """Sign with an unlocked account and send. A failing one is mined with status 0."""
    return data(engine.send_raw(_signed(engine, take(params, 0))))


def sign_transaction(engine: Engine, params: list[Any]) -> str:
    """The signed bytes of a transaction, not sent."""
    return data(_signed(engine, take(params, 0)))


def sign(engine: Engine, params: list[Any]) -> str:
    """Sign a message as EIP-191 personal data."""
    key = _key(engine, to_bytes(take(params, 0), "address", 20))
    message = encode_defunct(to_bytes(take(params, 1), "message"))
    return data(bytes(Account.sign_message(message, key).signature))


def sign_typed_data(engine: Engine, params: list[Any]) -> str:
    """Sign typed data (EIP-712)."""
    key = _key(engine, to_bytes(take(params, 0), "address", 20))
    try:
        message = encode_typed_data(full_message=take(params, 1))
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise invalid_params(f"typed data: {error}") from error
    return data(bytes(Account.sign_message(message, key).signature))


def _key(engine: Engine, address: bytes) -> bytes:
    key = engine.private_key_of(address)
    if key is None:
        raise invalid_params("sender account not recognized or locked")
    return key


def _signed(engine: Engine, fields: Any) -> bytes:
    """A legacy transaction of these fields, or the type 2 that its fee fields ask for."""
    message = to_message(fields)
    key = _key(engine, message.sender)
    if "chainId" in fields and to_int(fields["chainId"], "chainId") != engine.settings.chain_id:
        raise invalid_params("invalid chain id for signer")
    named = fields.get("nonce")
    nonce = engine.pending_nonce(message.sender) if named is None else to_int(named, "nonce")
    gas = engine.run.default_gas if message.gas is None else message.gas
    base_fee = engine.base_fee() or 0
    if "maxFeePerGas" in fields or "maxPriorityFeePerGas" in fields:
        if not base_fee:
            raise invalid_params(
                "maxFeePerGas and maxPriorityFeePerGas are not supported by this hardfork"
            )
        tip = to_int(fields.get("maxPriorityFeePerGas") or "0x0", "maxPriorityFeePerGas")
        most = fields.get("maxFeePerGas") or hex(base_fee * 2 + tip)
        signed = Account.sign_transaction(
            {
                "type": 2,
                "chainId": engine.settings.chain_id,
                "nonce": nonce,
                "to": message.to,
                "value": message.value,
                "data": message.data,
                "gas": gas,
                "maxFeePerGas": to_int(most, "maxFeePerGas"),
                "maxPriorityFeePerGas": tip,
            },
            key,
        )
        return bytes(signed.raw_transaction)
    unsigned = engine.chain.create_unsigned_transaction(
        nonce=nonce,
        gas_price=message.gas_price or engine.run.gas_price + base_fee * 2,
        gas=gas,
        to=message.to,
        value=message.value,
        data=message.data,
    )
    chain_id = engine.settings.chain_id
    return bytes(unsigned.as_signed_transaction(keys.PrivateKey(key), chain_id=chain_id).encode())
