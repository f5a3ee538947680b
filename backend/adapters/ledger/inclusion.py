"""The part of the doctor that needs keys: accounts and their roles, and whether a transaction at
our price is mined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from eth_utils.crypto import keccak

from backend.adapters.ledger.codec import decode_result, encode_call
from backend.adapters.ledger.diagnosis import Finding, bad, good, warn
from backend.adapters.ledger.keystores import KeystoreError, Keystores
from backend.adapters.ledger.rpc import JSONRPC, RPCError
from backend.service_layer.anchoring.groups import CALLDATA_BYTES_MAX
from backend.service_layer.anchoring.model import Call, Deployment, Fees
from backend.service_layer.anchoring.send import build_unsigned
from backend.service_layer.ports import LedgerUnavailableError

#: A key of its own, so that the nonces of the worker's keys are not touched.
DOCTOR_KEY: Final = "doctor"
INCLUSION_SECONDS: Final = 60.0
_ROLES: Final = {
    "registrar": "REGISTRAR_ROLE",
    "policy-publisher": "POLICY_PUBLISHER_ROLE",
    "pauser": "PAUSER_ROLE",
}


def examine_roles(rpc: JSONRPC, keystores: Keystores, known: Deployment) -> Iterator[Finding]:
    """Whether each keystore opens and its account may do what its name says."""
    for role, name in _ROLES.items():
        if not keystores.has(role):
            yield warn(
                role,
                "",
                (f"这里没有密钥库 {role}", f"there is no keystore {role} here"),
                ("在登记机构与政策的机器上应有它", "it belongs where institutions are registered"),
            )
            continue
        account = keystores.account_of(role)
        has = _read(rpc, known.registry, "hasRole", bytes(keccak(text=name)), account)[0]
        if not has:
            yield bad(
                role,
                "",
                (f"{account} 没有角色 {name}", f"{account} lacks the role {name}"),
                (f"请合约管理员授予它 {name}", f"let the contracts' admin grant it {name}"),
            )
        else:
            yield good(role, "", account, account)
    for role in keystores.roles():
        yield from _examine_actor(rpc, keystores, known, role)


def _examine_actor(
    rpc: JSONRPC, keystores: Keystores, known: Deployment, role: str
) -> Iterator[Finding]:
    kind, _, named = role.partition("-")
    if kind not in ("payer", "institution") or not named:
        return
    account = keystores.account_of(role)
    read = "payerOf" if kind == "payer" else "institutionOf"
    number = _read(rpc, known.registry, read, account)[0]
    if number == 0 or (kind == "payer" and named.isdecimal() and int(named) != number):
        command = "register-payer" if kind == "payer" else "register-institution"
        yield bad(
            role,
            "",
            (f"{account} 在账本上没有登记", f"{account} is not registered as {role}"),
            (f"yichu contracts {command}", f"yichu contracts {command}"),
        )
    else:
        yield good(role, "", f"{number} 号，{account}", f"number {number}, {account}")


def examine_keystores(keystores: Keystores) -> Iterator[Finding]:
    """Whether the password opens every keystore."""
    for role in keystores.roles():
        try:
            keystores.open_key(role)
        except KeystoreError as error:
            yield bad(
                "keystore",
                "",
                (error.zh, error.en),
                (
                    "更正 YICHU_KEYSTORE_PASSWORD，或从备份恢复该文件",
                    "correct YICHU_KEYSTORE_PASSWORD, or restore the file from its backup",
                ),
            )


def try_inclusion(
    urls: Sequence[str], keystores: Keystores, fees: Callable[[JSONRPC], Fees]
) -> Iterator[Finding]:
    """Send two transactions to oneself, a small one and one of the largest size that we send."""
    rpc = JSONRPC(urls)
    account = keystores.create(DOCTOR_KEY)
    try:
        for check, data in (("inclusion", b""), ("128 KB included", bytes(CALLDATA_BYTES_MAX))):
            call = Call(account, data, _gas(data))
            yield _try_one(rpc, keystores, check, call, fees(rpc))
    except (LedgerUnavailableError, RPCError) as error:
        yield bad(
            "inclusion",
            "",
            (error.zh, error.en),
            ("启动该节点，或更正 YICHU_RPC_URLS", "start the node, or correct YICHU_RPC_URLS"),
        )
    finally:
        rpc.close()


def _try_one(rpc: JSONRPC, keystores: Keystores, check: str, call: Call, fees: Fees) -> Finding:
    """``call`` goes from the doctor's account to itself."""
    account = call.to
    chain_id, count = rpc.batch(
        [("eth_chainId", []), ("eth_getTransactionCount", [account, "latest"])]
    )
    unsigned = build_unsigned(int(chain_id, 16), int(count, 16), call, fees)
    signed = keystores.sign(account, unsigned)
    began = time.monotonic()
    refused = ""
    try:
        rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
    except RPCError as error:
        refused = error.message  # perhaps it is known from an earlier try: the receipt decides
    while time.monotonic() - began < INCLUSION_SECONDS:
        receipt = rpc.call("eth_getTransactionReceipt", "0x" + signed.hash.hex())
        if receipt is not None:
            took = time.monotonic() - began
            return good(check, "", f"{took:.1f} 秒入块", f"mined in {took:.1f} s")
        if refused and rpc.call("eth_getTransactionByHash", "0x" + signed.hash.hex()) is None:
            break
        time.sleep(0.2)
    waited = f"{time.monotonic() - began:.0f} s"
    return bad(
        check,
        "",
        (
            f"{len(call.data)} 字节的交易没有入块（{refused or waited}）",
            f"a transaction of {len(call.data)} bytes was not mined ({refused or waited})",
        ),
        (
            "在出块节点上设 min-gas-price=0 和足够的区块燃料；检查许可名单与 YICHU_FEE_MODE",
            "on the validators set min-gas-price=0 and enough block gas; see the allow list "
            "and YICHU_FEE_MODE",
        ),
    )


def _gas(data: bytes) -> int:
    """Enough for zero bytes under Istanbul's rules and under the floor price of EIP-7623."""
    return 21_000 + 10 * len(data)


def _read(rpc: JSONRPC, registry: str, name: str, *arguments: Any) -> tuple[Any, ...]:
    fields = {"to": registry, "data": "0x" + encode_call("Registry", name, *arguments).hex()}
    answer = rpc.call("eth_call", fields, "latest")
    return decode_result("Registry", name, bytes.fromhex(answer[2:]))
