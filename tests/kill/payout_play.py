"""Money that goes out: at once and by the daily run, refused by the bank, given back, held."""

from __future__ import annotations

from pathlib import Path

from backend.service_layer.payout import manual
from backend.service_layer.payout.records import AnswerStatus
from tests.kill.money_stage import MoneyStage
from tests.kill.stage import Scene

WHO, OTHER, WHY = "出纳员", "复核员", "核对中，请稍候"


def stage(folder: Path, url: str | None = None) -> MoneyStage:
    """Everybody has a bill of 900.00 and gets 360.00; one of 400.00 gets 60.00 at once."""
    made = MoneyStage(folder, url)
    made.person("plain")
    made.person("quick")
    made.person("twice", "0002")
    made.person("parts", "0003")
    made.person("frozen", "0006", others="2222")
    made.person("back", "0008", others="2222")
    made.person("held")
    made.person("silent", "0009")
    for name in made.people:
        made.bill(name, 400 if name == "quick" else 900)
    made.world.anchor()
    made.instant(6_000)
    made.touch(*made.bills)
    made.works(with_payouts=False)
    return made


SCENES = [
    Scene("one is stopped", lambda s: manual.hold(s.services, s.claim("held").number, WHO, WHY)),
    Scene("money goes out", lambda s: s.works()),
    Scene("half a minute later", lambda s: s.passes(seconds=40)),
    Scene("money comes back", lambda s: s.works()),
    Scene("it goes on", lambda s: manual.release(s.services, s.claim("held").number, OTHER, WHY)),
    Scene("another account", lambda s: s.name_account("frozen", "2222")),
    Scene("another account too", lambda s: s.name_account("back", "2222")),
    Scene("notices", lambda s: s.works()),
    Scene("three days later", lambda s: s.passes(hours=73)),
    Scene("the rest is paid, one answer is missed", lambda s: s.works()),
    Scene("the bank answers", lambda s: s.says("silent", "0009", AnswerStatus.PAID, "LATE")),
    Scene("a day later", lambda s: s.passes(hours=24)),
    Scene("its case is closed", lambda s: s.works()),
]

CREDITS = {
    "back 0008": [36_000],  # came back
    "back 2222": [36_000],
    "frozen 2222": [36_000],
    "held 1111": [36_000],
    "parts 0003": [36_000],
    "plain 1111": [36_000],
    "quick 1111": [6_000],
    "silent 0009": [36_000],  # the bank has paid and says nothing
    "twice 0002": [36_000],
}
