"""Every outcome of every call: singly as in a batch, and no batch reverts for an item."""

from __future__ import annotations

import re
from typing import Any

import pytest
from web3.contract import Contract

from scripts.compile_contracts import CONTRACTS
from tests.contracts.bills import Call, Desk, Outcome, Report
from tests.contracts.chain import expect_revert
from tests.contracts.outcome_cases import CASES, FORMS, UNREACHABLE, Form, Sent
from tests.contracts.outcome_world import World

pytestmark = pytest.mark.slow

INTAKE = {"lodge", "supersede", "expire"}
INTERFACE = (CONTRACTS / "interfaces" / "IInvoiceLedger.sol").read_text("utf-8")


def _outcome(name: str) -> Outcome:
    return Outcome[re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()]


def _single(ledger: Contract, form: Form, sent: Sent) -> Any:
    function = ledger.functions[form.single]
    if form.single == "rule":
        return function(*sent.item)
    if form.single == "ruleFor":
        return function(sent.batches[0], *sent.item)
    if form.single == "supersede":
        return function(list(sent.batches), sent.item)
    return function(sent.batches[0], sent.item) if form.has_batches else function(sent.item)


def _batch(ledger: Contract, form: Form, sent: Sent) -> Any:
    assert form.batch is not None
    items = [sent.item, sent.item]
    function = ledger.functions[form.batch]
    return function(list(sent.batches), items) if form.has_batches else function(items)


def _key(form: Form, sent: Sent) -> bytes:
    """The invoice key of what is sent: the fourth field of a leaf, wherever that stands."""
    item = sent.item
    while not isinstance(item[0], bytes):
        item = item[1] if form.single == "supersede" and item is sent.item else item[0]
    return bytes(item[3] if form.has_batches else item[0])


def _mined(desk: Desk, function: Any, role: str) -> list[Report]:
    return desk.reports(desk.chain.send(function, role))


def _check(desk: Desk, ledger: Contract, form: Form, name: str, sent: Sent) -> None:
    """The single call and both items of a batch of two have that outcome; nothing changes."""
    outcome, role, key = _outcome(name), sent.role or form.role, _key(form, sent)
    before = desk.state(key)
    holder = (0, 0)
    if form.batch is not None:
        first, second = _mined(desk, _batch(ledger, form, sent), role)
        for index, report in enumerate((first, second)):
            assert (report.name, report.outcome) == ("Unchanged", outcome)
            assert (report.call, report.key, report.index) == (form.call, key, index)
        holder = first.holder
    single = _single(ledger, form, sent)
    if outcome == Outcome.REPEATED:
        (report,) = _mined(desk, single, role)
        assert (report.name, report.outcome, report.key) == ("Unchanged", outcome, key)
    elif form.batch is None:
        holder = _holder(desk, key, outcome)
    if outcome != Outcome.REPEATED:
        with expect_revert(ledger, "LedgerRefused", outcome, key, *holder):
            desk.chain.view(single, role)
    assert desk.state(key) == before


def _holder(desk: Desk, key: bytes, outcome: Outcome) -> tuple[int, int]:
    state = desk.state(key)
    if outcome == Outcome.LOCKED:
        return (state["open"], state["counter"])
    return (1, 0) if outcome == Outcome.SETTLED else (0, 0)


def _check_effect(desk: Desk, form: Form, name: str) -> None:
    """Once singly and once in a batch, where the second item finds the first one's effect."""
    world = World(desk)
    ledger = desk.chain.ledger
    sent = CASES[form.single]["Done"](world)
    (single,) = _mined(desk, _single(ledger, form, sent), sent.role or form.role)
    assert (single.outcome, single.call) == (Outcome.DONE, form.call)
    assert single.name != "Unchanged"
    if form.batch is None:
        return
    sent = CASES[form.single]["Done"](world)
    first, second = _mined(desk, _batch(ledger, form, sent), sent.role or form.role)
    assert (first.outcome, first.name, first.index) == (Outcome.DONE, single.name, 0)
    again = {"settle": "AlreadySettled", "supplement": "Stale"}.get(form.single, name)
    assert (second.outcome, second.name) == (_outcome(again), "Unchanged")


@pytest.mark.parametrize("single", FORMS)
def test_an_effect_is_the_same_singly_and_in_a_batch_and_does_not_repeat(
    desk: Desk, single: str
) -> None:
    _check_effect(desk, FORMS[single], "Repeated")


_QUICK = ("lodge", "settle")
"""The calls that every claim goes through; those of the others run in the slow suite."""


@pytest.mark.parametrize(
    "single", [one if one in _QUICK else pytest.param(one, marks=pytest.mark.slow) for one in FORMS]
)
def test_every_outcome_is_the_same_singly_and_in_a_batch(desk: Desk, single: str) -> None:
    form, world = FORMS[single], World(desk)
    for name, case in CASES[single].items():
        if name == "Done":
            continue
        sent = case(world)
        try:
            _check(desk, desk.chain.ledger, form, name, sent)
        except AssertionError as error:
            raise AssertionError(f"{single}: {name}") from error
        if sent.undo is not None:
            sent.undo()


@pytest.mark.parametrize("single", FORMS)
def test_a_pause_stops_intake_and_nothing_else(desk: Desk, single: str) -> None:
    form, world, ledger = FORMS[single], World(desk), desk.chain.ledger
    sent = CASES[single]["Done"](world)
    resume = world.paused()
    if single in INTAKE:
        _check(desk, ledger, form, "Paused", sent)
        resume()
        if single != "expire":  # not for seven days more
            (report,) = _mined(desk, _single(ledger, form, sent), form.role)
            assert report.outcome == Outcome.DONE
    else:
        (report,) = _mined(desk, _single(ledger, form, sent), form.role)
        assert report.outcome == Outcome.DONE


@pytest.mark.parametrize("single", FORMS)
def test_a_successor_refuses_every_call_before_its_day(desk: Desk, single: str) -> None:
    world, successor = World(desk), desk.chain.deploy_successor()
    _check(desk.at(successor), successor, FORMS[single], "Retired", CASES[single]["Done"](world))


@pytest.mark.parametrize("single", FORMS)
def test_the_cases_are_all_outcomes_that_the_interface_lists(single: str) -> None:
    # The text of `reverse` refers to that of `void`.
    documented = "void" if single == "reverse" else single
    match = re.search(rf"((?:    ///[^\n]*\n)+)    function {documented}\(", INTERFACE)
    assert match is not None
    text = re.sub(r"Emits\s[^.]*", "", match[1])
    members = re.search(r"enum Outcome \{(.*?)\n    \}", INTERFACE, re.DOTALL)
    assert members is not None
    names = re.findall(r"^\s+([A-Z]\w+)", members[1], re.MULTILINE)
    listed = {word for word in re.findall(r"`([A-Z]\w+)`", text) if word in names}
    cases = {name for name in CASES[single] if name != "Done"}
    assert cases | {"Retired"} | UNREACHABLE.get(single, set()) == listed
    assert all(_outcome(name) == number for number, name in enumerate(names))


def test_every_call_has_its_cases() -> None:
    assert {form.call for form in FORMS.values()} == set(Call)
    assert set(CASES) == set(FORMS)
