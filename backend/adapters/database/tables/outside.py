"""Bills from outside the network, accidents and causes."""

from __future__ import annotations
