"""``yichu contracts doctor``: every assumption about a network, asked of each of its nodes.

Reads only; ``inclusion.py`` sends. Works before anything is deployed: then what the contracts need
is tried by calls that leave nothing behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.crypto import keccak

from backend.adapters.ledger import clique, qbft
from backend.adapters.ledger.codec import creation_code
from backend.adapters.ledger.diagnosis import Finding, bad, good, warn
from backend.adapters.ledger.finality import build_finality
from backend.adapters.ledger.headers import Header, HeaderError
from backend.adapters.ledger.rpc import JSONRPC, Endpoint, RPCError
from backend.contracts import ContractName, load_contract
from backend.domain.finality import FinalityKind, FinalityRule
from backend.service_layer.anchoring.groups import CALLDATA_BYTES_MAX, GAS_MAX
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.ports import LedgerUnavailableError

SKEW_SECONDS_MAX: Final = 15
HEAD_AGE_SECONDS: Final = 60
LOG_RANGE: Final = 1_000
DEPLOY_GAS: Final = 8_000_000
_SOMEBODY: Final = "0x" + "11" * 20
_NOBODY: Final = "0x" + "00" * 20
_CHAIN_ID_CODE: Final = "0x4660005260206000f3"  # CHAINID MSTORE RETURN: Istanbul and later
_PUSH0_CODE: Final = "0x5f5f5260205ff3"  # Shanghai and later

_Node = tuple[Endpoint, Header, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the settings say about the network. ``deployment`` is None before contracts are."""

    fee_mode: str
    finality: FinalityRule
    deployment: Deployment | None


def examine(
    urls: Sequence[str], expected: Expectation, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Check after check, each node on its own, then all together."""
    nodes: list[_Node] = []
    for url in urls:
        endpoint = Endpoint(url, 10)
        try:
            block = endpoint.post([("eth_getBlockByNumber", ["latest", False])])[0]
            node = (endpoint, Header.parse(block), block)
            yield from _examine_node(node, expected, now())
            nodes.append(node)
        except (LedgerUnavailableError, RPCError, HeaderError) as error:
            yield bad(
                "answers",
                endpoint.label,
                (error.zh, error.en),
                ("启动该节点，或更正 YICHU_RPC_URLS", "start the node, or correct YICHU_RPC_URLS"),
            )
    yield from _compare(nodes)
    if nodes:
        yield from _finality([node[0].url for node in nodes], nodes[0], expected)
    for endpoint, _, _ in nodes:
        endpoint.close()


def _examine_node(node: _Node, expected: Expectation, now: float) -> Iterator[Finding]:
    endpoint, head, block = node
    yield from _identity(endpoint, head, expected)
    yield _clock(endpoint, head, block, now)
    yield from _cadence(endpoint, head, block)
    yield _fees(endpoint, block, expected.fee_mode)
    yield _rules(endpoint)
    yield from _room(endpoint, block)
    yield _extra_data(endpoint, head)
    yield from _history(endpoint, head, expected)
    if expected.deployment is None:
        yield from _could_deploy(endpoint)
    else:
        yield from _deployed(endpoint, expected.deployment)


def _identity(endpoint: Endpoint, head: Header, expected: Expectation) -> Iterator[Finding]:
    chain_id, genesis, syncing = endpoint.post_each(
        [("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False]), ("eth_syncing", [])]
    )
    if isinstance(chain_id, RPCError) or isinstance(genesis, RPCError) or genesis is None:
        yield bad(
            "identity",
            endpoint.label,
            ("节点说不出链编号或创世区块", "it does not tell its chain id or genesis"),
            ("开放 eth 接口", "open the eth methods of the node"),
        )
        return
    known, name = expected.deployment, genesis["hash"]
    here = (int(chain_id, 16), name)
    if known is not None and here != (known.chain_id, "0x" + known.genesis_hash.hex()):
        yield bad(
            "identity",
            endpoint.label,
            (
                f"链 {here[0]}（创世 {name}）不是本数据库的链 {known.chain_id}",
                f"chain {here[0]} (genesis {name}) is not this database's chain {known.chain_id}",
            ),
            (
                "更正 YICHU_RPC_URLS，或换用属于该链的 YICHU_VAR",
                "correct YICHU_RPC_URLS, or use the YICHU_VAR that belongs to that chain",
            ),
        )
    else:
        yield good(
            "identity",
            endpoint.label,
            f"链 {here[0]}，创世 {name[:12]}",
            f"chain {here[0]}, genesis {name[:12]}, head {head.number}",
        )
    if syncing not in (False, None) and not isinstance(syncing, RPCError):
        yield bad(
            "synced",
            endpoint.label,
            ("节点仍在同步", "the node is still catching up"),
            ("等它同步完成", "wait until it has caught up"),
        )


def _clock(endpoint: Endpoint, head: Header, block: dict[str, Any], now: float) -> Finding:
    age = now - int(block["timestamp"], 16)
    if age < -SKEW_SECONDS_MAX:
        return bad(
            "clock",
            endpoint.label,
            (f"最新区块的时间比本机快 {-age:.0f} 秒", f"the head is {-age:.0f} s in the future"),
            (
                "在本机与验证节点上校准时钟（NTP）",
                "set the clocks here and on the validators (NTP)",
            ),
        )
    if age > HEAD_AGE_SECONDS and head.number > 0:
        return warn(
            "clock",
            endpoint.label,
            (f"最新区块是 {age:.0f} 秒前的", f"the head is {age:.0f} s old"),
            (
                "若该网络应持续出块：查看是否过半验证节点停机，或本机时钟有误",
                "where blocks should come without transactions: see which validators are down, and "
                "the clock here",
            ),
        )
    return good("clock", endpoint.label, f"最新区块 {age:.0f} 秒前", f"the head is {age:.0f} s old")


def _cadence(endpoint: Endpoint, head: Header, block: dict[str, Any]) -> Iterator[Finding]:
    if head.number < 2:
        return
    earlier = max(1, head.number - 20)
    found = endpoint.post([("eth_getBlockByNumber", [hex(earlier), False])])[0]
    if found is None or head.number == earlier:
        return
    took = int(block["timestamp"], 16) - int(found["timestamp"], 16)
    pace = took / (head.number - earlier)
    yield good(
        "cadence",
        endpoint.label,
        f"平均 {pace:.1f} 秒一个区块",
        f"a block in {pace:.1f} s, of the last {head.number - earlier}",
    )


def _fees(endpoint: Endpoint, block: dict[str, Any], fee_mode: str) -> Finding:
    base = block.get("baseFeePerGas")
    asked = endpoint.post_each([("eth_gasPrice", [])])[0]
    price = 0 if isinstance(asked, RPCError) or asked is None else int(asked, 16)
    if fee_mode == "market":
        return good("fees", endpoint.label, f"市场价，当前 {price} wei", f"market, now {price} wei")
    if base is not None and int(base, 16) > 0:
        return bad(
            "fees",
            endpoint.label,
            (
                f"区块有 {int(base, 16)} wei 的基础费，而 YICHU_FEE_MODE={fee_mode}",
                f"blocks have a base fee of {int(base, 16)} wei, and YICHU_FEE_MODE={fee_mode}",
            ),
            (
                "网络：创世文件不设 londonBlock，或设 zeroBaseFee；否则 YICHU_FEE_MODE=market",
                "the network: no londonBlock in the genesis, or zeroBaseFee; else "
                "YICHU_FEE_MODE=market",
            ),
        )
    if base is None and fee_mode == "eip1559-zero":
        return bad(
            "fees",
            endpoint.label,
            ("该链没有基础费（London 之前）", "the chain has no base fee (before London)"),
            ("设 YICHU_FEE_MODE=legacy-zero", "set YICHU_FEE_MODE=legacy-zero"),
        )
    if price > 0:
        return warn(
            "fees",
            endpoint.label,
            (f"节点建议的价格是 {price} wei", f"the node suggests a price of {price} wei"),
            (
                "Besu 节点设 min-gas-price=0，再用 --probe 确认零价交易能入块",
                "set min-gas-price=0 on Besu nodes, and confirm with --probe that a transaction at "
                "price zero is included",
            ),
        )
    return good("fees", endpoint.label, "没有基础费，价格为零", "no base fee, price zero")


def _rules(endpoint: Endpoint) -> Finding:
    call, push0 = endpoint.post_each(
        [("eth_call", [{"data": code}, "latest"]) for code in (_CHAIN_ID_CODE, _PUSH0_CODE)]
    )
    if isinstance(call, RPCError) or len(call) != 66:
        return bad(
            "rules",
            endpoint.label,
            ("虚拟机早于 Istanbul", "the virtual machine is older than Istanbul"),
            (
                "创世文件启用到 Berlin 为止的全部分叉",
                "enable every fork up to Berlin in the genesis",
            ),
        )
    has_push0 = not isinstance(push0, RPCError) and len(push0) == 66
    later = "有 PUSH0（不需要）" if has_push0 else "没有 PUSH0（不需要）"
    return good(
        "rules",
        endpoint.label,
        later,
        f"Istanbul or later; PUSH0 {'is' if has_push0 else 'not'} there, not needed",
    )


def _room(endpoint: Endpoint, block: dict[str, Any]) -> Iterator[Finding]:
    limit = int(block["gasLimit"], 16)
    if limit < GAS_MAX:
        yield bad(
            "block gas",
            endpoint.label,
            (
                f"区块燃料上限 {limit} 装不下一批 100 个登记",
                f"the block gas limit {limit} has no room for a batch of 100 lodges",
            ),
            (f"把上限提到至少 {GAS_MAX}", f"raise it to {GAS_MAX} at least"),
        )
    else:
        yield good("block gas", endpoint.label, f"{limit}", f"{limit}")
    data = "0x" + "11" * CALLDATA_BYTES_MAX
    asked = {"to": _SOMEBODY, "data": data, "gas": hex(GAS_MAX)}
    try:
        endpoint.post([("eth_call", [asked, "latest"])])
    except (RPCError, LedgerUnavailableError) as error:
        yield bad(
            "128 KB",
            endpoint.label,
            (
                f"拒绝 {CALLDATA_BYTES_MAX} 字节的调用：{error.zh}",
                f"it refuses a call of {CALLDATA_BYTES_MAX} bytes: {error.en}",
            ),
            ("提高节点或代理的请求上限", "raise the request limit of the node or its proxy"),
        )
    else:
        yield good("128 KB", endpoint.label, "收得下", "a call of that size is read")


def _extra_data(endpoint: Endpoint, head: Header) -> Finding:
    size = len(head.extra_data)
    if head.number == 0:
        return good("extra data", endpoint.label, "尚无区块", "no block yet")
    return good(
        "extra data",
        endpoint.label,
        f"{size} 字节，{_consensus(head)}",
        f"{size} bytes, {_consensus(head)}",
    )


def _consensus(head: Header) -> str:
    """What sealed a block, as far as its header shows."""
    try:
        return "qbft" if qbft.SealedHeader.parse(head).validators else "qbft (contract)"
    except HeaderError:
        pass
    try:
        clique.sealer_of(head)
    except HeaderError:
        return "other"
    return "clique" if head.digest() == head.hash else "other"


def _history(endpoint: Endpoint, head: Header, expected: Expectation) -> Iterator[Finding]:
    proof, logs, one = endpoint.post_each(
        [
            ("eth_getProof", [_NOBODY, ["0x0"], "latest"]),
            ("eth_getLogs", [_range(max(0, head.number - LOG_RANGE + 1), head.number)]),
            ("eth_getLogs", [_range(head.number, head.number)]),
        ]
    )
    if isinstance(proof, RPCError) or not (proof or {}).get("accountProof"):
        yield warn(
            "proofs",
            endpoint.label,
            ("没有 eth_getProof", "there is no eth_getProof"),
            (
                "证据包将不含状态证明；请用提供它的节点",
                "bundles will hold no state proofs; use a node that has it",
            ),
        )
    else:
        yield good("proofs", endpoint.label, "eth_getProof 可用", "eth_getProof answers")
    if isinstance(one, RPCError):
        yield bad(
            "logs",
            endpoint.label,
            (f"拒绝事件查询：{one.message}", f"it refuses logs: {one.message}"),
            ("开放 eth_getLogs", "open eth_getLogs"),
        )
    elif isinstance(logs, RPCError):
        yield warn(
            "logs",
            endpoint.label,
            (
                f"不答 {LOG_RANGE} 个区块的范围：{logs.message}",
                f"it refuses a range of {LOG_RANGE} blocks: {logs.message}",
            ),
            (
                "读取会用更小的范围；Besu：--rpc-max-logs-range",
                "smaller ranges will be read; Besu: --rpc-max-logs-range",
            ),
        )
    else:
        yield good("logs", endpoint.label, "按范围可读", f"read by {LOG_RANGE} blocks")


def _range(first: int, last: int) -> dict[str, str]:
    return {"fromBlock": hex(first), "toBlock": hex(last), "address": _SOMEBODY}


def _could_deploy(endpoint: Endpoint) -> Iterator[Finding]:
    """Run both constructors in a call: size limits and rules are tried without a transaction."""
    names: tuple[ContractName, ...] = ("Registry", "InvoiceLedger")
    for name in names:
        constructor = next(e for e in load_contract(name).abi if e["type"] == "constructor")
        values = [_value(entry) for entry in constructor["inputs"]]
        fields = {
            "from": _SOMEBODY,
            "data": "0x" + creation_code(name, *values).hex(),
            "gas": hex(DEPLOY_GAS),
            "gasPrice": "0x0",
        }
        try:
            made = bytes.fromhex(endpoint.post([("eth_call", [fields, "latest"])])[0][2:])
            why = "" if load_contract(name).has_deployed_code(made) else "other code came out"
        except (RPCError, LedgerUnavailableError) as error:
            why = error.en
        if why:
            yield bad(
                name,
                endpoint.label,
                (f"合约无法部署：{why}", f"it could not be deployed: {why}"),
                (
                    "检查虚拟机规则、合约大小上限与区块燃料上限",
                    "see the fork rules, the contract size limit and the block gas limit",
                ),
            )
        else:
            yield good(name, endpoint.label, "尚未部署，可以部署", "not deployed yet, and could be")


def _value(argument: dict[str, Any]) -> Any:
    """A constructor argument that is valid; a first ledger has no predecessor."""
    if argument["type"] != "address":
        return 1
    return _NOBODY if "predecessor" in argument["name"] else _SOMEBODY


def _deployed(endpoint: Endpoint, known: Deployment) -> Iterator[Finding]:
    places: tuple[tuple[ContractName, str, bytes], ...] = (
        ("Registry", known.registry, known.registry_code_hash),
        ("InvoiceLedger", known.invoice_ledger, known.invoice_ledger_code_hash),
    )
    for name, address, code_hash in places:
        code = bytes.fromhex(endpoint.post([("eth_getCode", [address, "latest"])])[0][2:])
        if not code:
            yield bad(
                name,
                endpoint.label,
                (f"{address} 没有合约", f"there is no contract at {address}"),
                (
                    "检查节点是否在同一条链且已同步",
                    "see that the node is on the same chain and synced",
                ),
            )
        elif keccak(code) != code_hash or not load_contract(name).has_deployed_code(code):
            yield bad(
                name,
                endpoint.label,
                (f"{address} 是别的代码", f"{address} holds other code than this version's"),
                (
                    "用部署它的版本，或部署新合约",
                    "run the version that deployed it, or deploy anew",
                ),
            )
        else:
            yield good(name, endpoint.label, f"{address}", f"{address}")


def _compare(nodes: Sequence[_Node]) -> Iterator[Finding]:
    """The same chain everywhere, at the height that all have."""
    if len(nodes) < 2:
        return
    shared = min(head.number for _, head, _ in nodes)
    names = {}
    for endpoint, _, _ in nodes:
        block = endpoint.post([("eth_getBlockByNumber", [hex(shared), False])])[0]
        names[endpoint.label] = (block or {}).get("hash", "none")
    if len(set(names.values())) > 1:
        said = ", ".join(f"{label} {str(name)[:12]}" for label, name in names.items())
        yield bad(
            "one chain",
            "",
            (f"区块 {shared} 各节点不同：{said}", f"block {shared} differs: {said}"),
            (
                "网络被分割或有节点在别的链上：查看节点的对等连接",
                "the network is cut, or a node is on another chain: see the nodes' peers",
            ),
        )
    else:
        yield good("one chain", "", f"{len(nodes)} 个节点一致", f"{len(nodes)} nodes agree")


def _finality(urls: Sequence[str], node: _Node, expected: Expectation) -> Iterator[Finding]:
    _, head, _ = node
    rule, sealed = expected.finality, _consensus(head)
    fitting = {"clique": "clique:EPOCH", "qbft": "qbft", "qbft (contract)": "blocks:1"}
    wanted = fitting.get(sealed, "blocks:N")
    if head.number and rule.kind is not FinalityKind.BLOCKS and str(rule.kind) != sealed:
        yield bad(
            "finality",
            "",
            (
                f"YICHU_FINALITY={rule}，而区块是 {sealed}",
                f"YICHU_FINALITY={rule}, and blocks are {sealed}",
            ),
            (f"设 YICHU_FINALITY={wanted}", f"set YICHU_FINALITY={wanted}"),
        )
        return
    if rule.kind is FinalityKind.BLOCKS and sealed in ("clique", "qbft"):
        yield warn(
            "finality",
            "",
            (
                f"YICHU_FINALITY={rule} 只数区块，不看 {sealed} 签名",
                f"YICHU_FINALITY={rule} counts blocks and looks at no {sealed} seals",
            ),
            (f"设 YICHU_FINALITY={wanted}", f"set YICHU_FINALITY={wanted}"),
        )
    rpc = JSONRPC(urls)
    try:
        number = build_finality(rule, rpc).final_number()
    except LedgerUnavailableError as error:
        yield bad(
            "finality",
            "",
            (error.zh, error.en),
            (f"设 YICHU_FINALITY={wanted}", f"set YICHU_FINALITY={wanted}"),
        )
    else:
        yield good(
            "finality",
            "",
            f"{rule}：区块 {number} 已终局",
            f"{rule}: block {number} of {head.number} is final",
        )
    finally:
        rpc.close()
