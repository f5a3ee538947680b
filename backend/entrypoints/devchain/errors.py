"""Refusals of the development ledger.

``LedgerStartError`` stops the start with one plain message. ``RpcError`` becomes the ``error``
member of a JSON-RPC answer. Codes are anvil's (EIP-1474, and geth's 3 for a revert); texts are
geth's where clients are known to look at them (``nonce too low``, ``already known``, ``invalid
chain id``). docs/dev-ledger.md lists where the three differ.
"""

from __future__ import annotations

from backend.domain.errors import DomainError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
RESOURCE_NOT_FOUND = -32001
TRANSACTION_REJECTED = -32003
LIMIT_EXCEEDED = -32005
#: geth's code of a revert, with the revert data in ``error.data``.
EXECUTION_REVERTED = 3


class LedgerStartError(DomainError):
    """The ledger cannot start with these options, this folder or this port."""

    code = "devchain-start"


class RpcError(DomainError):
    """A JSON-RPC request that is answered with an error object.

    ``rpc_code`` is the JSON-RPC error code, ``data`` the optional hex revert data.
    """

    code = "devchain-rpc"

    def __init__(self, rpc_code: int, message: str, data: str | None = None) -> None:
        super().__init__(message, message)
        self.rpc_code = rpc_code
        self.message = message
        self.data = data


def invalid_params(message: str) -> RpcError:
    """A refusal with code -32602 (JSON-RPC 2.0, section 5.1)."""
    return RpcError(INVALID_PARAMS, message)


def refused(message: str) -> RpcError:
    """A refusal with the catch-all server code -32000."""
    return RpcError(SERVER_ERROR, message)


def rejected(message: str) -> RpcError:
    """A transaction that is not taken: code -32003 (EIP-1474)."""
    return RpcError(TRANSACTION_REJECTED, message)
