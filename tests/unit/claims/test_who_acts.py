"""One person has one identity, whether signed in or typed; the program is nobody."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.two_people import SamePersonError, is_machine, require_another
from backend.service_layer.claims.acting import NotAtWorkError, acting, require_other_person
from backend.service_layer.supervision.once import Once, OnceServices


def member(login: str, name: str, *, is_active: bool = True) -> Any:
    return SimpleNamespace(id=f"log_{login}", username=login, name=name, is_active=is_active)


STAFF = [
    member("li01", "李某"), member("wang01", "王某"), member("wang02", "王某"),
    member("zhao01", "赵某", is_active=False), member("sun01", "孙某", is_active=False),
    member("sun02", "孙某"), member("cashier", "li01"),
]  # fmt: skip
WORK = SimpleNamespace(staff=SimpleNamespace(all=lambda: STAFF))


@pytest.mark.parametrize(
    "name", ["worker", " Worker", "ＷＯＲＫＥＲ", "reconcile", "system:x", "系统"]
)
def test_the_program_is_nobody(name: str) -> None:
    assert is_machine(name)
    with pytest.raises(NotAtWorkError, match="is a name of the program itself"):
        acting(WORK, name)
    with pytest.raises(SamePersonError, match="the program's own, which is nobody"):
        require_another(name, "李某")


@pytest.mark.parametrize("name", ["zhao01", "ZHAO01", "赵某", " 赵 某 ", "log_zhao01"])
def test_who_has_left_acts_by_no_name(name: str) -> None:
    with pytest.raises(NotAtWorkError, match="has ended: nobody acts by it"):
        acting(WORK, name)


def test_a_name_that_several_have_is_refused() -> None:
    with pytest.raises(NotAtWorkError, match="several members of staff are called 王某"):
        acting(WORK, "王某")


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("李某", "li01"), ("LI01", "li01"), ("log_li01", "li01"), ("孙某", "sun02"),
        (" 出纳甲 ", "出纳甲"), ("workers", "workers"),
    ],
)  # fmt: skip
def test_a_typed_name_is_its_members_username_else_the_name(typed: str, who: str) -> None:
    assert acting(WORK, typed) == who


@pytest.mark.parametrize("first", ["李某", "li01", "log_li01", "Li01 "])
def test_nobody_is_two_people_by_signing_in_and_typing(first: str) -> None:
    with pytest.raises(SamePersonError, match="another person does this"):
        require_other_person(WORK, first, "li01")
    require_other_person(WORK, first, "wang01")


def test_a_first_name_that_several_have_may_be_the_second_persons() -> None:
    with pytest.raises(SamePersonError, match="another person does this"):
        require_other_person(WORK, "王某", "wang02")
    require_other_person(WORK, "王某", "li01")


class Books:
    """Transactions that say in which order what was kept and committed."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.staff_acts = SimpleNamespace(add=lambda act: self.said.append(act.person))
        self.clock = SimpleNamespace(now=lambda: None)

    def work(self, *, write: bool = True) -> Any:
        return nullcontext(self)

    def commit(self) -> None:
        self.said.append("commit")


def test_the_first_commit_of_an_act_keeps_it_and_no_other_one_does() -> None:
    books = Books()
    services = OnceServices(books, "log_li01", Once("some-key-1", ("hold", "C1")))
    with services.work(write=False):
        pass
    with services.work():  # refused: nothing is committed, nothing is kept
        pass
    assert books.said == []
    for _ in range(2):
        with services.work() as work:
            work.commit()
    assert books.said == ["log_li01", "commit", "commit"]
