"""What an auditor takes away: the evidence bundle of a claim."""
