"""ISO 20022 payment messages: what the agency asks of its bank, and what the bank answers."""
