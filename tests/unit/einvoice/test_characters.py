"""Characters that cannot be seen, or that turn the reading direction, are refused in every text."""

from __future__ import annotations

import pytest

from backend.adapters.einvoice.fields import Field
from backend.adapters.einvoice.texts import UnreadableTextError, read_text

TEXT = Field("payer_name", "PayerName", ("PayerParty", "PayerPartyName"))


@pytest.mark.parametrize("hidden", ["\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\u00ad"])
@pytest.mark.parametrize("pattern", ["{}", "测试{}甲", "测试甲{}"])
def test_hidden_characters_are_refused(hidden: str, pattern: str) -> None:
    with pytest.raises(UnreadableTextError) as refused:
        read_text(TEXT, pattern.format(hidden))
    assert refused.value.code == "bad-text"


@pytest.mark.parametrize("name", ["测试甲", "阿依古丽·买买提", "Ægir Ó", "㐀㐁", "𠮷野"])
def test_names_of_people_are_read(name: str) -> None:
    assert read_text(TEXT, name) == name
