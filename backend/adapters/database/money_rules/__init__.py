"""Rules of the reconciliation that the database alone can answer, as set-based queries."""
