"""Invented hospitals, citizens and bills: deterministic, obviously not real, fed over the API.

Everything in this package is made from a seed and a day, so that two runs give the same bytes.
Nothing here describes a real person, hospital or visit: names are the sexagenary cycle behind
the word 测试 (test), identity numbers begin with ``TEST-``.
"""
