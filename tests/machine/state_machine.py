"""Any order of acts.

They are one rule: of many rules Hypothesis leaves out most in each walk, and here nearly every act
needs what others have done before it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.machine.hospital import FORMS
from tests.machine.town import TROUBLES, Town

Act = tuple[str, dict[str, Any]]

PLACE = st.integers(0, 30)
WHO = st.integers(0, 1)
FORM = st.sampled_from(FORMS)
UPHELD = st.sampled_from([True, True, False])
WILD = st.sampled_from([False, False, False, True])
"""Mostly something is picked with which the act can succeed, now and then anything."""


def act(name: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    return st.tuples(st.just(name), st.fixed_dictionaries(drawn))


ACTS = st.one_of(
    # the hospital
    act(
        "upload",
        who=WHO,
        yuan=st.sampled_from([100, 350, 900, 6_000]),
        back=st.integers(0, 40),
        kind=st.sampled_from(["mixed", "plain", "loose", "another name"]),
        form=FORM,
    ),
    act("upload_again", place=PLACE, form=FORM),
    act("other_content", place=PLACE, yuan=st.integers(1, 60)),
    act("correct", place=PLACE, yuan=st.integers(1, 60), form=FORM, is_wild=WILD),
    act("correct_again", place=PLACE, form=FORM),
    # citizens
    act("touch", who=WHO, places=st.lists(PLACE, min_size=2, max_size=3), is_wild=WILD),
    act("the_same_form_again", place=PLACE, is_reordered=st.booleans()),
    act("object", place=PLACE, is_upheld=UPHELD, is_ended=st.booleans(), is_wild=WILD),
    act("object", place=PLACE, is_upheld=UPHELD, is_ended=st.just(True), is_wild=WILD),
    act("take_back", place=PLACE, is_wild=WILD),
    # the agency
    act("look_at", place=PLACE, is_approved=st.booleans(), is_wild=WILD),
    act("answer_appeals", is_upheld=UPHELD),
    act("late_fact", who=WHO, fact=st.sampled_from(["filing", "retired", "hardship"])),
    # the worker
    act("work", at_once=st.booleans(), count=st.integers(0, 4)),
    act("one_step", place=PLACE),
    act("run_on", rounds=st.integers(1, 6)),
    # the ledger
    act("mine", count=st.integers(1, 5)),
    act("reorganise", depth=st.integers(1, 5)),
    act("reorganise", depth=st.just(9)),
    act("finalise"),
    act(
        "other_payer",
        place=PLACE,
        act=st.sampled_from(["lodge", "settle", "release"]),
        yuan=st.integers(1, 90),
    ),
    # fate, and somebody with the rights of the database's owner
    act("time_passes", seconds=st.sampled_from([60, 1, 86_400, 10 * 86_400, 65 * 86_400])),
    act("trouble", what=st.sampled_from(TROUBLES)),
    act("tamper", place=PLACE),
)


class Machine(Town):
    """Everything may happen at any moment."""

    @rule(act=ACTS)
    def anybody(self, act: Act) -> None:
        name, values = act
        getattr(self, name)(**values)
