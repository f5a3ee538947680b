"""Whether a second name is another person's."""

from __future__ import annotations

import pytest

from backend.domain.two_people import SamePersonError, is_machine, require_another, signature


@pytest.mark.parametrize(
    "name", ["Wang Fang", "wang fang", "WANG  FANG", "ＷＡＮＧ Ｆａｎｇ", " Wang\u3000Fang\t"]
)
def test_letters_width_and_blanks_make_no_other_name(name: str) -> None:
    assert signature(name) == "wangfang"
    with pytest.raises(SamePersonError) as caught:
        require_another("  Wang Fang ", name)
    assert (caught.value.zh, caught.value.en) == (
        "这一步要另一个人来做：前一步是 Wang Fang 做的",
        "another person does this: Wang Fang did the step before",
    )
    assert caught.value.code == "same-person"


@pytest.mark.parametrize(("first", "second"), [("王芳", "王方"), ("Wang Fang", "Wang Fan")])
def test_another_name_is_another_person(first: str, second: str) -> None:
    require_another(first, second)


@pytest.mark.parametrize(
    "name",
    ["worker", "Worker", "reconcile", "system", "yichu", "系统", "system:recovery", "ＷＯＲＫＥＲ"],
)
def test_the_program_is_none_of_two_people(name: str) -> None:
    assert is_machine(name)
    with pytest.raises(SamePersonError) as caught:
        require_another(name, "王芳")
    assert (caught.value.zh, caught.value.en) == (
        "前一步是系统做的，不算一个人：先由一个人登记，再由另一个人来做",
        "the step before was the program's own, which is nobody: one person does it first, another "
        "one does this",
    )


@pytest.mark.parametrize("name", ["workers", "王芳", "co:worker", ""])
def test_other_names_are_peoples(name: str) -> None:
    assert not is_machine(name)
