"""Leads, cases of supervision, findings, appeals of providers, points."""

from __future__ import annotations
