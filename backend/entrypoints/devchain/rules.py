"""The EVM rules of the development ledger, by fork.

Two things differ from a public network. Blocks are made at the moment a transaction comes, so two
may carry the same second (as in ganache; py-evm alone would push the clock ahead of real time by
a second a block). And difficulty is the constant 1 before the merge, with no block reward.
"""

from __future__ import annotations

from typing import Any

from eth.vm.forks import (
    ArrowGlacierVM,
    BerlinVM,
    ByzantiumVM,
    ConstantinopleVM,
    GrayGlacierVM,
    IstanbulVM,
    LondonVM,
    MuirGlacierVM,
    ParisVM,
    PetersburgVM,
    ShanghaiVM,
)
from eth_utils import ValidationError

from backend.entrypoints.devchain.errors import LedgerStartError

_VMS: dict[str, Any] = {
    "byzantium": ByzantiumVM,
    "constantinople": ConstantinopleVM,
    "petersburg": PetersburgVM,
    "istanbul": IstanbulVM,
    "muirglacier": MuirGlacierVM,
    "berlin": BerlinVM,
    "london": LondonVM,
    "arrowglacier": ArrowGlacierVM,
    "grayglacier": GrayGlacierVM,
    "merge": ParisVM,
    "shanghai": ShanghaiVM,
}
HARDFORKS = tuple(_VMS)
DEFAULT_HARDFORK = "berlin"
_NO_BASE_FEE = frozenset(HARDFORKS[: HARDFORKS.index("berlin") + 1])
_AFTER_MERGE = frozenset({"merge", "shanghai"})


def normal_hardfork(name: str) -> str:
    """The fork's name as it is stored; ganache's spellings (``muirGlacier``) are understood."""
    wanted = name.lower().replace("-", "")
    if wanted == "paris":
        wanted = "merge"
    if wanted not in _VMS:
        known = ", ".join(HARDFORKS)
        raise LedgerStartError(
            f"--hardfork {name} 不支持。可用: {known}。",
            f"--hardfork {name} is not offered. Choose one of: {known}.",
        )
    return wanted


def has_base_fee(hardfork: str) -> bool:
    """Whether blocks of this fork carry a base fee, which refuses a zero gas price."""
    return hardfork not in _NO_BASE_FEE


def has_access_lists(hardfork: str) -> bool:
    """Whether transactions may declare what they touch (EIP-2930, Berlin)."""
    return HARDFORKS.index(hardfork) >= HARDFORKS.index("berlin")


def after_merge(hardfork: str) -> bool:
    """Whether difficulty is zero and the mix hash is random."""
    return hardfork in _AFTER_MERGE


def vm_class(hardfork: str) -> Any:
    """py-evm's virtual machine of the fork, with the two differences named above."""
    original = _VMS[hardfork]
    merged = after_merge(hardfork)

    def create_header_from_parent(parent: Any, **params: Any) -> Any:
        if parent is not None:
            # py-evm's own choice of time and difficulty insists on a later second.
            params.setdefault("timestamp", parent.timestamp)
            if not merged:
                params.setdefault("difficulty", 1)
        return original.create_header_from_parent(parent, **params)

    def validate_header(_cls: Any, header: Any, parent: Any) -> None:
        if parent is not None and header.timestamp < parent.timestamp:
            raise ValidationError(
                f"block time {header.timestamp} is before its parent's {parent.timestamp}"
            )
        if parent is not None and header.timestamp == parent.timestamp:
            parent = parent.copy(timestamp=parent.timestamp - 1)
        original.validate_header(header, parent)

    return type(
        f"Dev{original.__name__}",
        (original,),
        {
            "create_header_from_parent": staticmethod(create_header_from_parent),
            "validate_header": classmethod(validate_header),
            "get_block_reward": staticmethod(lambda: 0),
        },
    )
