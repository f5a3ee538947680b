"""Canonical form, fingerprint, invoice key, Merkle tree and batch: the bytes of SPEC.md part A.

Pure: standard library only, no clock, no randomness, no file, no network. The backend imports this
package; nothing here imports the backend. The byte formats are normative in ``verifier/SPEC.md``,
whose section numbers the comments cite.
"""
