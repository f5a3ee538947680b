"""The development ledger: eth-tester (py-evm) behind Ethereum JSON-RPC, kept on disk."""
