"""The anchoring steps as a process that a test can kill: ``python -m ... PASSES``."""

from __future__ import annotations

import dataclasses
import sys
import time

from backend.adapters.ledger.network import anchoring_of
from backend.bootstrap import build_services
from tests.integration.anchoring.network import run_steps


def main() -> None:
    services = build_services()
    deps = dataclasses.replace(
        anchoring_of(services, f"process:{services.ids.new_id('own')}"),
        resend_seconds=0,
        lease_seconds=0.2,
    )
    time.sleep(0.25)  # a killed predecessor's lease runs out
    for _ in range(int(sys.argv[1])):
        run_steps(deps)


if __name__ == "__main__":
    main()
