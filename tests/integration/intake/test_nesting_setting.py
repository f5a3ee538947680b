"""YICHU_MAX_NESTING reaches the upload."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.domain.invoice import Invoice
from backend.settings import Settings, SettingsError
from tests.integration.intake.conftest import SECOND, House


@pytest.mark.parametrize(("form", "least"), [("json", 3), ("xml", 5)])
def test_upload_deeper_than_the_setting_is_refused(
    house: House, sample: Invoice, form: str, least: int
) -> None:
    """``least``: our JSON is an object of lists of objects; a fiscal XML has five levels."""
    bill = replace(sample, institution_code=SECOND)
    for limit, status in ((least - 1, 400), (least, 201)):
        house.services.settings = replace(house.services.settings, max_nesting=limit)
        answer = house.post(bill, form=form)
        assert answer.status_code == status, answer.text
        if status == 400:
            assert [fault["code"] for fault in answer.json["errors"]] == ["too-deep"]


def test_nesting_setting_is_read_and_bounded() -> None:
    assert Settings.from_environment({}).max_nesting == 16
    assert Settings.from_environment({"YICHU_MAX_NESTING": "9"}).max_nesting == 9
    for wrong in ("0", "17", "-1", "many", ""):
        with pytest.raises(SettingsError, match="YICHU_MAX_NESTING must be a whole number"):
            Settings.from_environment({"YICHU_MAX_NESTING": wrong})
