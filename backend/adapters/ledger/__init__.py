"""The ledger over JSON-RPC: calls, events, signing, keystores, deployment."""
