"""What must be true before a worker starts: nodes, contracts, keys and roles.

Each error says what to do. Nothing is signed, sent or written here.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from backend.adapters.ledger.deployment import Deployer
from backend.adapters.ledger.rpc import RPCError, WrongNetworkError
from backend.domain.errors import DomainError
from backend.service_layer.anchoring.model import Fees
from backend.service_layer.ports import LedgerUnavailableError

if TYPE_CHECKING:
    from backend.bootstrap import Services

_logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5


class StartRefusedError(DomainError):
    """The worker cannot do its work with this configuration."""

    code = "start-refused"


def require_ready(services: Services, wait_seconds: float = 0) -> None:
    """Raise unless the worker can start.

    Waits for a first node to answer up to ``wait_seconds``, since ledger and worker may be started
    together; whatever is plainly wrong is not waited for. Raises LedgerUnavailableError (its
    subclass WrongNetworkError for another network or other contracts), ForeignContractsError,
    KeystoreError or StartRefusedError.
    """
    with services.work(write=False) as work:
        known = work.chain.deployment()
        number = services.settings.payer_number
        accounts = work.payers.accounts(number)
    if known is None:
        raise StartRefusedError(
            "账本合约尚未部署，请先运行 yichu contracts deploy",
            "the contracts are not deployed yet: run yichu contracts deploy",
        )
    _require_node(services, wait_seconds)
    services.ledger.final_number()  # raises when the rule is not that of what seals the blocks
    Deployer(services.ledger.rpc, services.keystores, Fees).check(known)
    if not accounts:
        _logger.warning("payer %s is not registered yet: claims will wait", number)
    for account in accounts:
        _require_key_and_role(services, number, account)


def _require_node(services: Services, wait_seconds: float) -> None:
    """At least one node answers, and none that answers is on another network."""
    deadline = time.monotonic() + wait_seconds
    while True:
        rpc, answered, failures = services.ledger.rpc, 0, []
        for endpoint in rpc.endpoints:
            try:
                rpc.ask(endpoint, [("eth_blockNumber", [])])
                answered += 1
            except WrongNetworkError:
                raise  # also when another node is right: somebody has made a mistake
            except (LedgerUnavailableError, RPCError) as error:
                failures.append(error.en)
        if answered:
            for failure in failures:
                _logger.warning("%s", failure)
            return
        if time.monotonic() >= deadline:
            raise LedgerUnavailableError(
                "没有一个账本节点应答，请检查 YICHU_RPC_URLS 以及节点是否在运行",
                "no ledger node answers; check YICHU_RPC_URLS and whether the nodes run: "
                + "; ".join(failures),
            )
        time.sleep(_PAUSE_SECONDS)


def _require_key_and_role(services: Services, number: int, account: str) -> None:
    if not services.keystores.holds(account):
        raise StartRefusedError(
            f"缺少 {number} 号支付方账户 {account} 的密钥库，请把它恢复到"
            f" {services.settings.keystore_dir}",
            f"the keystore of account {account} of payer {number} is missing: restore it into "
            f"{services.settings.keystore_dir}",
        )
    services.keystores.require_open(account)
    acts_for = services.ledger.read("Registry", "payerOf", account)[0]
    if acts_for != number:
        raise StartRefusedError(
            f"账户 {account} 在账本上不代表 {number} 号支付方（YICHU_PAYER_NUMBER），"
            "请由登记人重新登记，或用 yichu contracts add-payer-account 添加账户",
            f"account {account} does not act for payer {number} (YICHU_PAYER_NUMBER) on the "
            "ledger: have the registrar add it, or add another with "
            "yichu contracts add-payer-account",
        )
