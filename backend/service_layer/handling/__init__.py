"""Handling a claim: its steps, what people decide on it, its further versions."""
