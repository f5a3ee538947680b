"""Accounts to which benefits are paid: named by the person, confirmed by the bank."""
