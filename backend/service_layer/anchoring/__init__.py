"""From the outbox to the ledger and back: sending, following, signing offers."""
