"""Post-audit samples: populations, draws from a block named before, their members."""

from __future__ import annotations
