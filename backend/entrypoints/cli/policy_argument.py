"""The argument by which every ``yichu policy`` command takes a pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backend.adapters.policy_packs import installed_pack_path


class PackName(click.ParamType):  # type: ignore[type-arg]
    """A pack file, or the ``pack_id`` of an installed pack."""

    name = "pack"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """The pack's file; fails as wrong usage when there is none."""
        path = Path(value)
        if path.is_file():
            return path
        installed = installed_pack_path(str(value))
        if installed is None:
            self.fail(f"没有这个政策包 / no such pack: {value}", param, ctx)
        return installed


PACK = PackName()
