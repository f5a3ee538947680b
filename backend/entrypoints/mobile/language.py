"""The language of the citizen's pages: Chinese, or English for whoever has chosen it.

The choice is a plain cookie that says nothing of the person. Every text stands beside its
translation; what the layers below say in Chinese alone is translated in ``english``.
"""

from __future__ import annotations

from typing import Final

from flask import has_request_context, request

from backend.domain.errors import DomainError
from backend.entrypoints.mobile.english import ENGLISH

COOKIE: Final = "lang"
ENGLISH_CODE: Final = "en"


def is_english() -> bool:
    """Whether the page that is being made is to be in English; never outside a request."""
    return has_request_context() and request.cookies.get(COOKIE) == ENGLISH_CODE


def say(zh: str, en: str) -> str:
    """The text in the page's language; a text without English stays Chinese."""
    return en if en and is_english() else zh


def first_large(en: str) -> str:
    """An English text with a large first letter: reasons and errors begin with a small one."""
    return en[:1].upper() + en[1:]


def sentence(zh: str, en: str) -> str:
    """The text in the page's language, in English with a large first letter."""
    return say(zh, first_large(en))


def translated(zh: str) -> str:
    """A text of the layers below in the page's language, as it is when nobody translated it."""
    if not is_english():
        return zh
    head, colon, reason = zh.partition("：")
    if zh not in ENGLISH and head in ENGLISH and colon:
        return f"{ENGLISH[head]}: {ENGLISH.get(reason, reason)}"
    return ENGLISH.get(zh, zh)


def said(error: DomainError) -> str:
    """An error in the page's language."""
    return sentence(error.zh, error.en)
