"""Review cases: assignment, steps, rulings, requests for material."""

from __future__ import annotations
