"""Static analysis and proofs of the contracts, run by `make check`."""
