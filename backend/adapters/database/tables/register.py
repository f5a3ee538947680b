"""What the (simulated) insurance register knows of a person, each fact with its dates."""

from __future__ import annotations
