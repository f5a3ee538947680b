"""The journal of money: booking, fund and agency of a claim, tables, checks, closing of a month."""
