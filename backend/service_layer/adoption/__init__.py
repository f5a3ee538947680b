"""What the ledger knows of claims and a restored database has lost, taken in again."""
