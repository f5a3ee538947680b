"""Accounts, transfers and events: what each moves, and what can never be an entry."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import journal
from backend.domain.journal import (
    AMOUNT_FEN_MAX,
    Account,
    AccountClass,
    AccountKind,
    Entry,
    Fund,
    JournalError,
    Layer,
    LayerAmounts,
    Occasion,
    Side,
    Transfer,
)

FUND = Fund("330800", "310", "330802", "测试中心")
AT = dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
SAID = Occasion("attempt", "pay_1_a1", FUND, "clm_1", AT)
BANK, PAYABLE, POOL = "bank:330800", "payable:330800", "fund:330800:pool"


def moved(entry: Entry) -> dict[str, int]:
    """The change of every account, debits positive."""
    change: dict[str, int] = {}
    for one in entry.transfers:
        change[one.debit] = change.get(one.debit, 0) + one.amount_fen
        change[one.credit] = change.get(one.credit, 0) - one.amount_fen
    return {account: amount for account, amount in change.items() if amount}


# --- events --------------------------------------------------------------------------

SIMPLE = {
    "instructed": ("payable", "transit"),
    "paid": ("transit", "bank"),
    "rejected": ("transit", "payable"),
    "returned": ("bank", "payable"),
    "recovered": ("bank", "receivable"),
    "recovery_offset": ("payable", "receivable"),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_event_debits_and_credits_what_the_page_says(name: str) -> None:
    debit, credit = SIMPLE[name]
    entry = getattr(journal, name)(SAID, 12345)
    assert entry.transfers == (Transfer(f"{debit}:330800", f"{credit}:330800", 12345),)
    assert entry.kind == name.replace("_", "-")
    assert entry.total_fen == 12345


BY_LAYER = {
    "funded": ("bank:330800", None),
    "recovery_opened": ("receivable:330800", None),
    "recovery_waived": (None, "receivable:330800"),
}


@pytest.mark.parametrize("name", BY_LAYER)
def test_event_by_layer_has_a_transfer_for_each_layer_that_moves(name: str) -> None:
    debit, credit = BY_LAYER[name]
    entry = getattr(journal, name)(SAID, LayerAmounts(700, 0, 20, 3))
    layers = (("pool", 700), ("medical-aid", 20), ("civil-servant", 3))
    assert entry.transfers == tuple(
        Transfer(debit or f"fund:330800:{layer}", credit or f"fund:330800:{layer}", amount)
        for layer, amount in layers
    )


def test_approval_books_the_difference_and_gives_back_what_a_layer_bears_less() -> None:
    entry = journal.approved(SAID, LayerAmounts(500, 100), LayerAmounts(450, 200, 0, 7))
    assert moved(entry) == {
        "payable:330800": -57,
        "fund:330800:pool": -50,
        "fund:330800:serious-illness": 100,
        "fund:330800:civil-servant": 7,
    }


def test_reversed_approval_is_the_approval_turned_round() -> None:
    before, after = LayerAmounts(500, 100), LayerAmounts(450, 200)
    up, down = journal.approved(SAID, before, after), journal.approval_reversed(SAID, after, before)
    assert moved(down) == {account: -amount for account, amount in moved(up).items()}


layer_sums = st.builds(LayerAmounts, *(st.integers(0, 10**9) for _ in Layer))


@given(layer_sums, layer_sums)
def test_approval_owes_exactly_the_difference_of_the_totals(
    before: LayerAmounts, after: LayerAmounts
) -> None:
    difference = after.total_fen - before.total_fen
    if difference <= 0:
        with pytest.raises(JournalError, match="pays no more"):
            journal.approved(SAID, before, after)
        return
    change = moved(journal.approved(SAID, before, after))
    assert change.pop("payable:330800") == -difference
    assert sum(change.values()) == difference
    assert all(code.startswith("fund:330800:") for code in change)


@given(st.lists(st.integers(1, AMOUNT_FEN_MAX), min_size=1, max_size=64))
def test_no_entry_can_be_out_of_balance(sums: list[int]) -> None:
    entry = Entry("odd", SAID, tuple(Transfer(BANK, POOL, amount) for amount in sums))
    assert sum(moved(entry).values()) == 0
    assert entry.total_fen == sum(sums)


# --- identity --------------------------------------------------------------------------


def test_id_is_of_the_source_and_the_kind_alone() -> None:
    entry = journal.paid(SAID, 5)
    again = journal.paid(dataclasses.replace(SAID, booked_at=AT + dt.timedelta(days=9)), 6)
    assert entry.id == again.id
    # sha256("yichu-journal-1|attempt|pay_1_a1|paid"), worked out with sha256sum
    assert entry.id == "jrn_8d561a8c29f4216bdb6f096382786415a26a"
    others = {
        journal.rejected(SAID, 5).id,
        journal.paid(dataclasses.replace(SAID, source_id="pay_1_a2"), 5).id,
        journal.paid(dataclasses.replace(SAID, source_type="payout"), 5).id,
    }
    assert entry.id not in others
    assert len(others) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"fund": dataclasses.replace(FUND, insurance_type="390")},
        {"fund": dataclasses.replace(FUND, agency_code="330803")},
        {"claim_id": "clm_2"},
        {"claim_id": None},
        {"is_simulated": True},
    ],
)
def test_content_is_more_than_the_amount(changed: dict[str, Any]) -> None:
    entry = journal.paid(SAID, 5)
    assert journal.paid(dataclasses.replace(SAID, **changed), 5).content() != entry.content()
    assert journal.paid(SAID, 6).content() != entry.content()


def test_content_leaves_time_name_and_text_out() -> None:
    later = dataclasses.replace(
        SAID, booked_at=AT + dt.timedelta(hours=1), recorded_by="x", text="y"
    )
    assert journal.paid(later, 5).content() == journal.paid(SAID, 5).content()


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (dt.datetime(2026, 11, 30, 15, 59, 59, tzinfo=dt.UTC), dt.date(2026, 11, 30)),
        (dt.datetime(2026, 11, 30, 16, 0, 0, tzinfo=dt.UTC), dt.date(2026, 12, 1)),
        (dt.datetime(2026, 12, 31, 16, 0, 0, tzinfo=dt.UTC), dt.date(2027, 1, 1)),
    ],
)
def test_day_of_an_entry_is_the_day_in_china(at: dt.datetime, day: dt.date) -> None:
    assert journal.paid(dataclasses.replace(SAID, booked_at=at), 5).booked_on == day


# --- accounts --------------------------------------------------------------------------


def test_codes_are_read_back() -> None:
    for kind in AccountKind:
        for layer in Layer if kind is AccountKind.FUND else (None,):
            account = Account(kind, "330800", layer)
            assert Account.parse(account.code) == account
    assert Account.parse("fund:330800:pool") == Account(AccountKind.FUND, "330800", Layer.POOL)


def test_class_and_side_of_every_kind() -> None:
    found = {kind: (kind.account_class, kind.normal_side) for kind in AccountKind}
    assert found == {
        AccountKind.BANK: (AccountClass.ASSET, Side.DEBIT),
        AccountKind.RECEIVABLE: (AccountClass.ASSET, Side.DEBIT),
        AccountKind.PAYABLE: (AccountClass.LIABILITY, Side.CREDIT),
        AccountKind.TRANSIT: (AccountClass.LIABILITY, Side.CREDIT),
        AccountKind.FUND: (AccountClass.NET, Side.CREDIT),
        AccountKind.CLEARING: (AccountClass.CLEARING, Side.CREDIT),
    }


@pytest.mark.parametrize(
    "code",
    [
        "", "bank", "bank:", "bank:33080", "bank:3308000", "bank:33080x", "cash:330800",
        "fund:330800", "fund:330800:", "fund:330800:gifts", "bank:330800:pool",
        "fund:330800:pool:x", " bank:330800", "bank:330800\n", "BANK:330800", "bank:３３０８００",
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(code: str) -> None:
    with pytest.raises(JournalError, match="no such account"):
        Account.parse(code)


# --- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_FEN_MAX + 1, 1.0, True, "5", None])
def test_amount_that_moves_nothing_is_refused(amount: Any) -> None:
    with pytest.raises(JournalError, match="must be positive whole fen"):
        Transfer(BANK, POOL, amount)
    for name in SIMPLE:
        with pytest.raises(JournalError, match="must be positive whole fen"):
            getattr(journal, name)(SAID, amount)


def test_transfer_to_itself_is_refused() -> None:
    with pytest.raises(JournalError, match="two different accounts"):
        Transfer(BANK, BANK, 1)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("amount", [-1, AMOUNT_FEN_MAX + 1, 1.5, False, None])
def test_layer_amount_that_is_none_is_refused(position: int, amount: Any) -> None:
    sums: list[Any] = [0, 0, 0, 0]
    sums[position] = amount
    with pytest.raises(JournalError, match="no amount of a layer"):
        LayerAmounts(*sums)


@pytest.mark.parametrize("name", BY_LAYER)
def test_event_that_moves_nothing_is_refused(name: str) -> None:
    with pytest.raises(JournalError, match="1 to 64 transfers"):
        getattr(journal, name)(SAID, LayerAmounts())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LayerAmounts(), LayerAmounts()),
        (LayerAmounts(5), LayerAmounts(5)),
        (LayerAmounts(5), LayerAmounts(0, 5)),  # another layer bears it, nobody gets more
    ],
)
def test_approval_and_reversal_of_no_difference_are_refused(
    before: LayerAmounts, after: LayerAmounts
) -> None:
    with pytest.raises(JournalError, match="pays no more"):
        journal.approved(SAID, before, after)
    with pytest.raises(JournalError, match="lowers what is owed"):
        journal.approval_reversed(SAID, before, after)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"booked_at": AT.replace(tzinfo=None)}, "must be aware"),
        ({"source_type": ""}, "source type"),
        ({"source_type": "Attempt"}, "source type"),
        ({"source_type": "a" * 25}, "source type"),
        ({"source_type": "a|b"}, "source type"),
        ({"source_id": ""}, "1 to 80 characters"),
        ({"source_id": "x" * 81}, "1 to 80 characters"),
        ({"source_id": "a|b"}, "1 to 80 characters"),
        ({"source_id": "张三"}, "1 to 80 characters"),
        ({"source_id": "a\n"}, "1 to 80 characters"),
        ({"text": "x" * 401}, "too long"),
        ({"recorded_by": ""}, "too long"),
        ({"recorded_by": "x" * 61}, "too long"),
        ({"fund": Fund("110000", "310", "110000", "x")}, None),
    ],
)
def test_occasion_that_is_none_is_refused(changed: dict[str, Any], message: str | None) -> None:
    occasion = dataclasses.replace(SAID, **changed)
    if message is None:  # a fund of another region than the accounts'
        with pytest.raises(JournalError, match="within one region"):
            Entry("paid", occasion, (Transfer(BANK, POOL, 1),))
        return
    with pytest.raises(JournalError, match=message):
        journal.paid(occasion, 5)


@pytest.mark.parametrize("kind", ["", "Paid", "x" * 25, "a b"])
def test_kind_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(JournalError, match="kind of an entry"):
        Entry(kind, SAID, (Transfer(BANK, POOL, 1),))


@pytest.mark.parametrize("count", [0, 65])
def test_entry_of_too_few_or_many_transfers_is_refused(count: int) -> None:
    with pytest.raises(JournalError, match="1 to 64 transfers"):
        Entry("odd", SAID, (Transfer(BANK, POOL, 1),) * count)


def test_entry_over_two_regions_is_refused() -> None:
    transfers = (Transfer(BANK, POOL, 1), Transfer("bank:110000", "fund:110000:pool", 1))
    with pytest.raises(JournalError, match="within one region"):
        Entry("odd", SAID, transfers)
    with pytest.raises(JournalError, match="within one region"):
        Entry("odd", SAID, (Transfer("bank:110000", POOL, 1),))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"region": "3308"}, "six digits"),
        ({"region": "33080a"}, "six digits"),
        ({"agency_code": ""}, "six digits"),
        ({"insurance_type": "none"}, "three digits"),
        ({"insurance_type": "31"}, "three digits"),
        ({"agency_name": ""}, "1 to 80 characters"),
        ({"agency_name": "x" * 81}, "1 to 80 characters"),
    ],
)
def test_fund_that_is_none_is_refused(changed: dict[str, str], message: str) -> None:
    with pytest.raises(JournalError, match=message):
        dataclasses.replace(FUND, **changed)


def test_error_speaks_both_languages_and_says_nothing_of_people() -> None:
    with pytest.raises(JournalError) as caught:
        Transfer(BANK, POOL, 0)
    assert caught.value.code == "bad-journal-entry"
    assert "凭证无法记账" in caught.value.zh
    assert caught.value.en.startswith("the entry cannot be booked")
