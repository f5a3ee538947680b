"""Audit rules in the running system: facts, hits, switches by two people, trial runs, figures."""
