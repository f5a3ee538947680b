"""Login passwords."""

from __future__ import annotations

from backend.adapters import passwords


def test_only_the_right_password_of_a_known_name_opens() -> None:
    stored = passwords.hash_password("12345678")
    assert passwords.is_password(stored, "12345678")
    for wrong in ("", "12345679", "12345678 ", "1" * 10_000):
        assert not passwords.is_password(stored, wrong)
    assert not passwords.is_password(None, "12345678")
    assert not passwords.is_password(None, "")


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    method = passwords.hash_password("x").split("$")[0]
    assert passwords._NOBODY.split("$")[0] == method
