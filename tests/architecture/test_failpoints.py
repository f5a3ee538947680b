"""Every place at which a process can be killed is in the list that the tests iterate over."""

from __future__ import annotations

import re

from backend.service_layer.failpoints import BOUNDARIES, NAMES
from tests.architecture.sources import ROOT

_REACHED = re.compile(r"\breach\(\s*\"([a-z.-]+)\"")


def test_every_failpoint_is_in_the_list_and_every_listed_one_is_reached() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "backend").rglob("*.py")]
    assert {name for text in texts for name in _REACHED.findall(text)} == {
        *NAMES,
        *BOUNDARIES,
    }
