"""Post-audit samples, leads, findings and points."""

from __future__ import annotations
