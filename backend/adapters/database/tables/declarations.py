"""What a person declares of an accident, and why a filing was late."""

from __future__ import annotations
