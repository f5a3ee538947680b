"""Whether bill, claim, decision, ledger, journal, payment file and bank say the same."""
