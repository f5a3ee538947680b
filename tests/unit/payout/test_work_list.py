"""What is owed and not with the bank, as the payments desk is shown it, page by page."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backend.service_layer.payout import desk
from backend.service_layer.payout.desk import BadPageError, Standing, is_proposed, owed_page
from tests.unit.payout.payables import CLAIM, NOW, PAYABLE


class Owing:
    """Payables of claims 1 to so many, a second apart; each claim waits for what a test says."""

    def __init__(self, count: int = 3, **waits: str) -> None:
        self.waits = waits
        self.holds: dict[str, list[str]] = {}
        self.asked: list[Any] = []
        self.payables = [
            replace(
                PAYABLE, id=f"pay_{n:04}", claim_id=f"clm_{n}",
                instructed_at=NOW + dt.timedelta(seconds=n, microseconds=5),
            )
            for n in range(1, count + 1)
        ]  # fmt: skip

    @property
    def work(self) -> Any:
        def payables(*, after: Any, limit: int) -> list[Any]:
            self.asked.append((after, limit))
            rest = [
                one for one in self.payables
                if after is None or (one.instructed_at, one.id) > after
            ]  # fmt: skip
            return rest[:limit]

        def steps(claim: str) -> list[Any]:
            steps = [one.partition(" by ") for one in self.holds.get(claim, [])]
            return [SimpleNamespace(action=step, by=by or "王岗") for step, _, by in steps]

        return SimpleNamespace(
            payments=SimpleNamespace(
                payables=payables, holds_of=steps,
                last_hold=lambda claim: (steps(claim) or [None])[-1],
            ),
            claims=SimpleNamespace(
                get=lambda claim: replace(CLAIM, id=claim, waiting_for=self.waits.get(claim))
            ),
        )  # fmt: skip


def page(owing: Owing, wanted: Standing | None = None, after: str = "", limit: int = 50) -> Any:
    found, following = owed_page(owing.work, wanted, after, limit)
    return [one.claim.id for one in found], following


@pytest.mark.parametrize(
    ("waits", "standing"),
    [
        (None, "waiting"), ("payout-run", "waiting"), ("review", "waiting"),
        ("payee", "failed"), ("bank-retry", "failed"), ("payout-desk", "failed"),
        ("fund-short", "held"), ("account-missing", "held"), ("account-delay", "held"),
        ("debit-account-missing", "held"),
    ],
)  # fmt: skip
def test_how_a_payment_stands_follows_from_what_its_claim_waits_for(
    waits: str | None, standing: str
) -> None:
    owing = Owing(1, **({} if waits is None else {"clm_1": waits}))
    [one], _ = owed_page(owing.work, None, "", 9)
    assert (one.standing, one.payable, one.hold) == (standing, owing.payables[0], None)


@pytest.mark.parametrize("waits", ["payee", "payout-run"])
def test_what_a_person_stopped_is_held_until_it_is_let_go(waits: str) -> None:
    owing = Owing(1, clm_1=waits)
    before = owed_page(owing.work, None, "", 9)[0][0].standing
    owing.holds = {"clm_1": ["hold"]}
    [one], _ = owed_page(owing.work, None, "", 9)
    assert (one.standing, one.hold.action) == ("held", "hold")
    owing.holds = {"clm_1": ["hold", "release"]}
    assert owed_page(owing.work, None, "", 9)[0][0].standing == before


def test_one_state_alone_is_shown_oldest_first() -> None:
    owing = Owing(4, clm_2="payee", clm_4="payee", clm_3="fund-short")
    assert page(owing, Standing.FAILED) == (["clm_2", "clm_4"], None)
    assert page(owing, Standing.HELD) == (["clm_3"], None)
    assert page(owing, Standing.WAITING) == (["clm_1"], None)
    assert page(owing) == (["clm_1", "clm_2", "clm_3", "clm_4"], None)


def test_a_page_goes_on_behind_the_last_one_that_was_seen() -> None:
    owing = Owing(3)
    first, after = page(owing, limit=2)
    # 10:00:02.000005 on the 20th in China.
    assert (first, after) == (["clm_1", "clm_2"], "20261120T020002.000005Z~pay_0002")
    assert page(owing, after=after, limit=2) == (["clm_3"], None)
    assert owing.asked == [
        (None, 200), ((owing.payables[1].instructed_at, "pay_0002"), 200),
    ]  # fmt: skip


def test_a_page_of_a_rare_state_ends_after_so_many_looks_and_names_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desk, "PAGE_MAX", 2)
    monkeypatch.setattr(desk, "SCANNED_MAX", 6)
    owing = Owing(9, clm_3="payee", clm_8="payee")
    found, after = page(owing, Standing.FAILED)
    assert (found, after) == (["clm_3"], "20261120T020006.000005Z~pay_0006")
    assert [limit for _, limit in owing.asked] == [2, 2, 2]
    assert page(owing, Standing.FAILED, after) == (["clm_8"], None)


def test_nothing_owed_is_an_empty_page() -> None:
    assert page(Owing(0)) == ([], None)
    full = Owing(200)
    assert page(full, limit=201)[1] is None, "behind a full page the next is empty"


@pytest.mark.parametrize("after", ["x", "~pay_1", "20261120T020002Z~pay_1", "20261320T000000.0Z~p"])
def test_a_cursor_that_no_page_gave_is_refused(after: str) -> None:
    with pytest.raises(BadPageError) as caught:
        page(Owing(), after=after)
    assert (caught.value.zh, caught.value.en) == (
        "after 应为上一页的 next", "after is the next of a page",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "proposed"),
    [
        ([], False), (["hold"], False), (["hold", "hold"], True), (["hold", "release"], False),
        (["hold", "release", "hold"], False), (["hold", "release", "hold", "hold"], True),
        (["hold", "hold", "release"], False), (["hold", "hold by worker"], False),
        (["hold", "hold", "hold by worker"], False), (["hold by worker", "hold"], True),
    ],
)  # fmt: skip
def test_a_release_is_proposed_by_a_second_hold(steps: list[str], proposed: bool) -> None:
    owing = Owing()
    owing.holds = {"clm_1": steps}
    assert is_proposed(owing.work, "clm_1") is proposed
