"""Money in the funds of a test, so that what is approved can be paid."""

from __future__ import annotations

from typing import Any

from backend.domain.journal import Fund, LayerAmounts, Occasion, funded
from backend.service_layer.journal.booking import book_all

POOL_FEN = 10**12
OF_POOL_FEN = POOL_FEN - 3 * (POOL_FEN // 10)
"""What of a large deposit is the pool's; each further layer has a tenth."""
TYPES = ("310", "390")


def fund_pools(services: Any, amount_fen: int = POOL_FEN, region: str | None = None) -> None:
    """A deposit for each insurance type of a region, else this installation's, simulated: of a
    large one every layer gets a part, of a small one the pool gets all."""
    region = region or services.settings.region
    part = amount_fen // 10 if amount_fen >= POOL_FEN else 0
    with services.work() as work:
        book_all(
            work,
            [
                funded(
                    Occasion(
                        "deposit",
                        f"test-{region}-{kind}",
                        Fund(region, kind, region, "test"),
                        None,
                        services.clock.now(),
                        is_simulated=True,
                    ),
                    LayerAmounts(amount_fen - 3 * part, part, part, part),
                )
                for kind in TYPES
            ],
        )
        work.commit()
