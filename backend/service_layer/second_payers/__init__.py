"""Second payers: consents of citizens, what an insurer may read, its claims on the ledger."""
