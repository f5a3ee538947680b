"""Whether ledger and database still belong to this version's contracts."""

from __future__ import annotations

from backend.bootstrap import build_services
from backend.contracts import load_contract
from backend.entrypoints.supervisor.network import ask_ledger
from backend.settings import Settings


def what_is_stale(settings: Settings) -> str | None:
    """Why the stored deployment cannot be used (English), or ``None`` if it can.

    ``None`` also where nothing was deployed yet. The contracts are immutable, so another code
    means another deployment and with it another ledger.
    """
    services = build_services(settings)
    with services.work(write=False) as work:
        known = work.chain.deployment()
    services.engine.dispose()
    if known is None:
        return None
    url = settings.rpc_urls[0]
    genesis = ask_ledger(url, "eth_getBlockByNumber", "0x0", False)
    if genesis is None or genesis["hash"] != "0x" + known.genesis_hash.hex():
        return "the database belongs to another ledger"
    for address, name in ((known.registry, "Registry"), (known.invoice_ledger, "InvoiceLedger")):
        code = ask_ledger(url, "eth_getCode", address, "latest") or "0x"
        contract = load_contract("Registry" if name == "Registry" else "InvoiceLedger")
        if not contract.has_deployed_code(bytes.fromhex(code[2:])):
            return f"the ledger holds another version of the contract {name}"
    return None
