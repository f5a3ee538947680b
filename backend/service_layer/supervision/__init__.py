"""After the decision: samples for post-audit, leads, findings."""
