"""YICHU_FINALITY, its short form, and what is refused."""

from __future__ import annotations

import pytest

from backend.domain.finality import FinalityKind, FinalityRule
from backend.settings import Settings, SettingsError


def rule(**environment: str) -> FinalityRule:
    return Settings.from_environment(environment).finality


def test_one_block_is_the_default() -> None:
    assert rule() == FinalityRule(FinalityKind.BLOCKS, 1)


def test_rule_of_the_network_is_read() -> None:
    assert rule(YICHU_FINALITY="clique:3600") == FinalityRule(FinalityKind.CLIQUE, 3_600)
    assert rule(YICHU_FINALITY="qbft").kind is FinalityKind.QBFT


def test_short_form_counts_blocks() -> None:
    assert rule(YICHU_FINALITY_BLOCKS="3") == rule(YICHU_FINALITY="blocks:3")
    assert rule(YICHU_FINALITY_BLOCKS="3", YICHU_FINALITY="blocks:3").number == 3


@pytest.mark.parametrize("other", ["blocks:2", "qbft", "clique"])
def test_two_settings_that_contradict_are_refused(other: str) -> None:
    with pytest.raises(SettingsError, match="contradict each other: set the first only"):
        rule(YICHU_FINALITY=other, YICHU_FINALITY_BLOCKS="3")


@pytest.mark.parametrize("text", ["ibft", "blocks", "blocks:0", "qbft:2", " qbft"])
def test_unknown_rule_is_refused_by_the_name_of_the_setting(text: str) -> None:
    with pytest.raises(SettingsError, match="YICHU_FINALITY: a finality rule is blocks:N"):
        rule(YICHU_FINALITY=text)


@pytest.mark.parametrize("text", ["0", "-1", "10001", "x"])
def test_impossible_number_of_blocks_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="YICHU_FINALITY_BLOCKS must be a whole number"):
        rule(YICHU_FINALITY_BLOCKS=text)
