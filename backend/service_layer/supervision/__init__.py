"""Supervision after payment: leads, findings, appeals of providers, points, draws."""
