"""Taking bills in: reading, checking, storing, correcting, voiding, batching, disputes."""
