"""A citizen's claims: what can be claimed, one touch, the pipeline, the person's review."""
