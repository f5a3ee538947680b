"""A pack that was published under a name is never another text under that name."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.database import tables
from backend.adapters.policy_packs import read_documents
from backend.entrypoints.cli.policy import command
from backend.service_layer.policies.pack_document import PackDocument
from backend.service_layer.policies.publish import (
    PolicyEditedError,
    publish_packs,
    require_unedited,
)
from tests.integration.claims.world import World

QUZHOU = POLICY_DIRECTORY / "quzhou-2026.json"


class Ledger:
    """Takes a hash once, as the registry contract does."""

    def __init__(self) -> None:
        self.published: dict[bytes, dt.date] = {}

    def publish_policy(self, policy_hash: bytes, effective_from: dt.date) -> bool:
        is_new = policy_hash not in self.published
        self.published.setdefault(policy_hash, effective_from)
        return is_new


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def document(folder: Path, **changes: Any) -> PackDocument:
    value = json.loads(QUZHOU.read_text(encoding="utf-8")) | changes
    path = folder / f"pack-{hashlib.sha256(repr(changes).encode()).hexdigest()[:8]}.json"
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    (found,) = read_documents([path], "330800")
    return found


def kept(world: World) -> list[tuple[str, bytes]]:
    with world.services.engine.connect() as connection:
        rows = connection.execute(
            sa.select(tables.policy_pack.c.name, tables.policy_pack.c.policy_hash)
        )
        return [(row.name, row.policy_hash) for row in rows]


def test_a_pack_is_kept_and_published_and_repeating_is_harmless(
    world: World, tmp_path: Path
) -> None:
    pack = document(tmp_path)
    ledger = Ledger()
    for is_new in (True, False):
        (done,) = publish_packs(world.services, ledger, [pack])
        assert done.is_new == is_new
        assert done.policy_hash == hashlib.sha256(pack.document).digest()
    assert kept(world) == [("quzhou-2026", pack.pack.policy_hash)]
    assert list(ledger.published) == [pack.pack.policy_hash]
    with world.services.work(write=False) as work:
        assert work.decisions.policy_document(pack.pack.policy_hash) == pack.document.decode()


@pytest.mark.parametrize("change", [{"name_en": "edited"}, {"effective_to": "2031-12-31"}])
def test_an_edited_pack_under_the_old_name_is_refused_before_anything_is_sent(
    world: World, tmp_path: Path, change: dict[str, str]
) -> None:
    ledger = Ledger()
    first = document(tmp_path)
    publish_packs(world.services, ledger, [first])
    edited = document(tmp_path, **change)
    other = document(tmp_path, pack_id="quzhou-2027")
    with pytest.raises(PolicyEditedError, match="never edited: give the change a new pack_id"):
        publish_packs(world.services, ledger, [other, edited])
    assert list(ledger.published) == [first.pack.policy_hash]
    assert kept(world) == [("quzhou-2026", first.pack.policy_hash)]


def test_an_installed_pack_that_was_published_otherwise_is_said_with_what_to_run(
    world: World, tmp_path: Path
) -> None:
    publish_packs(world.services, Ledger(), [document(tmp_path)])
    require_unedited(world.services, [document(tmp_path)])
    with pytest.raises(PolicyEditedError, match="yichu up --fresh") as refused:
        require_unedited(world.services, [document(tmp_path, name_en="edited")])
    assert "yichu policy list" in refused.value.zh and "不删除" in refused.value.zh
    assert len(kept(world)) == 1


def test_the_same_change_under_a_new_name_is_published(world: World, tmp_path: Path) -> None:
    packs = [document(tmp_path), document(tmp_path, pack_id="quzhou-2027", name_en="edited")]
    publish_packs(world.services, Ledger(), packs)
    assert [name for name, _ in kept(world)] == ["quzhou-2026", "quzhou-2027"]


def test_two_texts_of_one_name_are_refused_together(world: World, tmp_path: Path) -> None:
    packs = [document(tmp_path), document(tmp_path, name_en="edited")]
    with pytest.raises(PolicyEditedError, match="was published with another content"):
        publish_packs(world.services, Ledger(), packs)
    assert kept(world) == []


def test_a_text_that_is_not_the_pack_is_refused(world: World, tmp_path: Path) -> None:
    pack = document(tmp_path)
    with pytest.raises(PolicyEditedError, match="was changed while it was read"):
        publish_packs(world.services, Ledger(), [replace(pack, document=b"{}")])
    assert kept(world) == []


def test_the_row_of_a_published_pack_can_be_neither_changed_nor_removed(
    world: World, tmp_path: Path
) -> None:
    publish_packs(world.services, Ledger(), [document(tmp_path)])
    for statement in ("UPDATE policy_pack SET document = '{}'", "DELETE FROM policy_pack"):
        with pytest.raises(sa.exc.DBAPIError), world.services.engine.begin() as connection:
            connection.execute(sa.text(statement))
    assert len(kept(world)) == 1


def test_by_default_the_packs_of_the_region_are_published() -> None:
    assert [entry.pack.pack_id for entry in read_documents(None, "330800")] == ["quzhou-2026"]
    assert read_documents(None, "999999") == []


def test_the_command_publishes_the_region_and_refuses_an_edited_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    monkeypatch.setattr("backend.adapters.ledger.network.Network", lambda services: ledger)
    for word in ("published", "was published before"):
        found = CliRunner().invoke(command, ["publish"], catch_exceptions=False)
        assert (found.exit_code, len(found.stdout.splitlines())) == (0, 1)
        assert found.stdout.endswith(f": {word}\n")
    edited = tmp_path / "edited.json"
    value = json.loads(QUZHOU.read_text(encoding="utf-8")) | {"name_zh": "改过"}
    edited.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(PolicyEditedError, match="quzhou-2026 was published with another content"):
        CliRunner().invoke(command, ["publish", str(edited)], catch_exceptions=False)
    assert len(ledger.published) == 1
