"""Four validators under test, steered by the commands of ``scripts/network.py``."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger.clique import sealer_of
from backend.adapters.ledger.headers import Header
from scripts.network import Network
from scripts.sample_data.set_up import set_up
from tests.e2e.processes import ROOT
from tests.e2e.system import System

#: Places in the sample of a hospital that signs for itself, and of one whose key we hold.
SELF_CUSTODY, CUSTODIAL = 1, 2
_QUIET_SECONDS = 2.5
_HOLD_TRIES = 6


def prepare(system: System) -> None:
    """Payers, policies, people and two institutions of the sample, and no bill: each transaction
    takes two or three blocks of a second."""
    population = system.population
    hospitals = tuple(population.hospitals[place] for place in (SELF_CUSTODY, CUSTODIAL))
    few = dataclasses.replace(population, hospitals=hospitals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YICHU_KEYSTORE_SCRYPT", "cheap")
        system.keys = set_up(system.services, few, lambda _text: None)


class Four:
    """The network in one folder. Validators are numbered from 1, by ascending address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *arguments: str) -> str:
        """One command of the script; its output."""
        argv = (sys.executable, "-m", "scripts.network", "--folder", str(self.folder), *arguments)
        done = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    @property
    def network(self) -> Network:
        return Network.load(self.folder)

    def url(self, number: int) -> str:
        return self.network.find(number).url

    def rpc(self, number: int, method: str, *params: Any) -> Any:
        return self.network.find(number).rpc(method, *params)

    def head(self, number: int) -> Header:
        return Header.parse(self.rpc(number, "eth_getBlockByNumber", "latest", False))

    def block(self, number: int, height: int) -> Header:
        return Header.parse(self.rpc(number, "eth_getBlockByNumber", hex(height), False))

    def sealer(self, header: Header) -> int:
        """The number of the validator that sealed a block."""
        address = "0x" + sealer_of(header).hex()
        (found,) = [one.number for one in self.network.validators if one.address == address]
        return found

    def is_moving(self, seconds: float = 5) -> bool:
        """Whether the first running validator sees a new block soon."""
        number = self.network.running()[0].number
        before = self.head(number).number
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.head(number).number > before:
                return True
            time.sleep(0.2)
        return False

    def hold(self) -> Header:
        """Stop sealing; returns the head once all have it and it stays.

        Validators stop one after another, so the last two may each seal a block out of turn at
        the same height: of equal weight, neither gives way, and the heads stay apart until
        somebody seals again. Then sealing goes on for a block, and is stopped anew.
        """
        for _ in range(_HOLD_TRIES):
            self.command("hold")
            found = self._one_quiet_head()
            if found:
                return found
            self.command("release")
            self.is_moving()
        raise AssertionError(f"heads still apart after {_HOLD_TRIES} tries")

    def _one_quiet_head(self) -> Header | None:
        """The head that all running validators keep, or None when theirs stay apart."""
        heads: set[bytes] = set()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            before, heads = heads, {self.head(one.number).hash for one in self.network.running()}
            if heads == before:
                return self.head(self.network.running()[0].number) if len(heads) == 1 else None
            time.sleep(_QUIET_SECONDS)
        raise AssertionError("waited 30 s for sealing to stop")

    def losing_halves(self, head: Header) -> tuple[list[int], list[int]]:
        """(losing, winning) halves for a cut above ``head``.

        Of four signers each may seal one block in three. Whoever sealed the head cannot seal the
        next two, so its half seals one block, by its other member; the half of the one before
        seals two. Chosen so that the single block is sealed out of turn and weighs less.
        """
        last, before = self.sealer(head), self.sealer(self.block(1, head.number - 1))
        in_turn = (head.number + 1) % 4 + 1
        others = [n for n in (1, 2, 3, 4) if n not in (last, before)]
        lone = next(n for n in others if n != in_turn)
        (fourth,) = [n for n in others if n != lone]
        return sorted((last, lone)), sorted((before, fourth))
