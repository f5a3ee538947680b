"""Yearly clearing: a year worked out again, its differences booked, its statement."""
