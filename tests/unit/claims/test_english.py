"""Every text of the citizen's pages has its English: nothing falls back to Chinese."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from backend.domain.accident import EXCUSES, MANNERS, PLACES
from backend.domain.payout import REASON_ZH
from backend.domain.recovery import CAUSE_ZH as RECOVERY_CAUSES
from backend.domain.revision import APPEAL_REASONS, REOPEN_REASONS
from backend.domain.revision import CAUSE_ZH as DECISION_CAUSES
from backend.domain.second_payer import PART_ZH
from backend.entrypoints.mobile import outside_texts, status_texts, waiting_texts
from backend.entrypoints.mobile.english import ENGLISH
from backend.entrypoints.mobile.language import say
from backend.service_layer.claims.holds import NEXT_RUN
from backend.service_layer.handling import steps
from backend.service_layer.payout.holding import HELD_CODES
from backend.service_layer.second_payers.consent import PHASE_ZH

HAN = re.compile(r"[\u4e00-\u9fff]+")
PAGES = Path(status_texts.__file__).parent.parent / "pages" / "templates"
#: Read aloud in Chinese, and not offered on an English page; the name of the language itself.
SPOKEN = re.compile(r"<button id=\"speak\".*?</button>|'中文'", re.DOTALL)
CHINESE_ARGUMENT = re.compile(r"\bt\((?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")
TEMPLATES = sorted((*PAGES.glob("*.html"), *PAGES.glob("m/*.html")))


def _literals(path: Path) -> set[str]:
    """The Chinese texts of a module, without its docstrings and f-strings."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in said
        and HAN.search(node.value)
    }


def test_every_step_of_a_bill_from_outside_has_english_words() -> None:
    source = Path(outside_texts.__file__).read_text("utf-8").partition("def steps_of")[2]
    found = {one for one in re.findall(r'"([^"\n]+)"', source) if HAN.search(one)}
    assert len(found) > 8
    assert found - set(ENGLISH) == set()


def test_every_advice_on_a_bill_from_outside_is_in_both_languages() -> None:
    for zh, en in outside_texts._NEXT.values():
        assert HAN.search(zh) and en and not HAN.search(en), (zh, en)


def test_every_step_has_english_words() -> None:
    found = _literals(Path(steps.__file__))
    assert len(found) > 20
    assert found - set(ENGLISH) == set()


@pytest.mark.parametrize(
    "words",
    [PHASE_ZH, PART_ZH, RECOVERY_CAUSES, DECISION_CAUSES, APPEAL_REASONS, REOPEN_REASONS,
     REASON_ZH, PLACES, MANNERS, EXCUSES],
    ids=["phases", "parts", "recoveries", "decisions", "appeals", "reopenings", "bank", "places",
         "manners", "excuses"],
)  # fmt: skip
def test_every_coded_text_has_english_words(words: dict[str, str]) -> None:
    assert words and set(words.values()) - set(ENGLISH) == set()


def test_no_english_text_is_empty_or_chinese() -> None:
    assert [zh for zh, en in ENGLISH.items() if not en or HAN.search(en)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_in_chinese_alone(path: Path) -> None:
    text = CHINESE_ARGUMENT.sub("", SPOKEN.sub("", path.read_text("utf-8")))
    assert HAN.findall(text) == []


@pytest.mark.parametrize("code", sorted(set(HELD_CODES) - {NEXT_RUN}))
def test_a_held_payment_says_what_happened_what_is_kept_and_what_to_do(code: str) -> None:
    status = waiting_texts.WAITING[code]
    for zh, en in (
        (status.title, status.en[0]),
        (status.meaning, status.en[1]),
        status.kept,
        status.todo,
    ):
        assert HAN.search(zh) and en and not HAN.search(en), (zh, en)


def test_every_state_has_english_words() -> None:
    every = [
        *waiting_texts.WAITING.values(),
        *status_texts._STATES.values(),
        *outside_texts._STATES.values(),
        outside_texts._PENDED,
    ]
    assert [one.title for one in every if not all(one.en)] == []


def test_without_a_request_the_text_is_chinese() -> None:
    assert say("已打款", "paid") == "已打款"
