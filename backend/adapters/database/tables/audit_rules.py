"""Audit rules: their states, switches and hits."""

from __future__ import annotations
