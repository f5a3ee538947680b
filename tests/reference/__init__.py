"""The second implementation of SPEC.md part A: recursive, slow, sharing no code with ours."""
