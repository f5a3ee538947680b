"""The embedded system's start, step by step, and its end.

Order: secrets -> free ports -> development ledger and migrations -> contracts (where the ledger
holds older ones: set aside, and again from the ledger) -> worker and web -> sample (first start)
-> addresses and logins -> watch. Every step may run again at the next start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backend.adapters.one_time_code import OneTimeCodeFile
from backend.entrypoints.supervisor.children import (
    Command,
    Family,
    StopRequestedError,
)
from backend.entrypoints.supervisor.files import StartRefusedError, VarFolder
from backend.entrypoints.supervisor.network import (
    LanAccess,
    ask_ledger,
    http_ready,
    require_free_port,
)

LEDGER_SECONDS = 30.0
WEB_SECONDS = 60.0
#: Exit status of ``yichu contracts deploy`` for older contracts or another database's ledger.
FOREIGN_CONTRACTS = 4
#: Exit status of ``yichu worker`` when the ledger is ahead of a restored database.
WORKER_BEHIND = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and where. Tests put small scripts in place of the commands."""

    root: Path
    var: VarFolder
    environment: dict[str, str]
    ledger: Command
    migrate: Command
    deploy: Command
    worker: Command
    web: Command
    sample: Command | None
    ledger_url: str
    ledger_port: int
    web_host: str
    web_port: int
    web_url: str
    lan: LanAccess | None = None


class EmbeddedSystem:
    """One start of the embedded system."""

    def __init__(self, plan: Plan, say: Callable[[str], None], *, is_fresh: bool = False) -> None:
        """``say`` prints a line for the person at the terminal; ``is_fresh``: what is there is set
        aside first, as that person asked."""
        self._is_fresh = is_fresh
        self._plan = plan
        self._say = say
        self._codes = OneTimeCodeFile(plan.var.path / "lan-code")
        self._family = Family(plan.root, plan.var.logs, plan.environment)

    def run(self) -> None:
        """Start, watch, stop. Returns when somebody asked to stop.

        Raises :class:`StartRefusedError` or :class:`ChildDiedError` after everything is stopped.
        """
        began = time.monotonic()
        self._family.catch_signals()
        try:
            self._bring_up()
            self._print_ready(time.monotonic() - began)
            self._family.wait_until(self._look_around)
        except StopRequestedError:
            self._say("\n正在停止… / stopping ...")
        finally:
            self._codes.withdraw()
            self._family.stop()
        self._say(f"已停止,数据已保存在 / stopped; everything is kept in {self._plan.var.path}")

    def _bring_up(self) -> None:
        plan = self._plan
        require_free_port(
            "127.0.0.1", plan.ledger_port, option="--ledger-port", zh="开发链", en="ledger"
        )
        require_free_port(plan.web_host, plan.web_port, option="--port", zh="网页", en="web")
        if self._is_fresh:
            self._set_aside("按 --fresh 重新开始", "begun anew, as --fresh says")
        elif plan.var.sample_interrupted():
            self._set_aside(
                "上次载入示例数据时被中断", "loading the sample was interrupted last time"
            )
        self._start_stores()
        if self._step("合约 / contracts", plan.deploy, (0, FOREIGN_CONTRACTS)):
            self._family.stop()
            self._set_aside(
                "开发链上的合约与本版本不符",
                "the contracts on the ledger are not those of this version",
            )
            self._start_stores()
            self._step("合约 / contracts", plan.deploy)
        self._say("  工作进程与网页 / worker and web")
        self._family.start(plan.worker, may_refuse=WORKER_BEHIND)
        # Asked on loopback also when it listens on every address.
        health = f"http://127.0.0.1:{plan.web_port}/healthz"
        if not self._family.wait_until(lambda: http_ready(health), WEB_SECONDS):
            raise self._too_slow(plan.web, WEB_SECONDS)
        if plan.sample is not None and not plan.var.sample_loaded():
            self._say(
                "  首次启动,正在载入示例数据(约一两分钟) / "
                "first start: loading the sample, a minute or two"
            )
            plan.var.mark_sample_started()
            self._family.run(plan.sample, show=True)
            plan.var.mark_sample_done()

    def _start_stores(self) -> None:
        """Ledger and database, and the web early: it needs the tables, but asks for the contracts
        at the first request only. Importing them all at once is what a start costs."""
        plan = self._plan
        self._say("  开发链 / development ledger")
        self._family.start(plan.ledger)
        self._step("数据库 / database", plan.migrate)
        self._family.start(plan.web)

        def answers() -> bool:
            return ask_ledger(plan.ledger_url, "eth_chainId") is not None

        if not self._family.wait_until(answers, LEDGER_SECONDS):
            raise self._too_slow(plan.ledger, LEDGER_SECONDS)

    def _step(self, title: str, command: Command, expected: tuple[int, ...] = (0,)) -> int:
        self._say(f"  {title}")
        return self._family.run(command, expected=expected)

    def _set_aside(self, zh: str, en: str) -> None:
        target = self._plan.var.set_aside(datetime.now(UTC))
        self._say(
            f"  {zh}:旧的开发链与数据库已移到 {target},将重新建立并载入示例数据。\n"
            f"  {en}: the old ledger and database were set aside in {target}; "
            "a new ledger is made and the sample loaded anew."
        )

    def _too_slow(self, command: Command, seconds: float) -> StartRefusedError:
        tail = "".join(f"\n  | {line}" for line in self._family.log_tail(command.name))
        return StartRefusedError(
            f"{command.name} 在 {seconds:.0f} 秒内没有就绪。",
            f"{command.name} was not ready within {seconds:.0f} s. Its last log lines:{tail}",
        )

    def _print_ready(self, seconds: float) -> None:
        plan = self._plan
        self._say(f"\nYichu 一触 已就绪 / ready ({seconds:.1f} s)\n")
        for name, path in (
            ("参保人 / citizens", "/m"),
            ("医院接口 / hospital API", "/docs"),
            ("状态 / status", "/readyz"),
        ):
            self._say(f"  {name:<24} {plan.web_url}{path}")
        self._say(f"  {'开发链 / ledger RPC':<23} {plan.ledger_url}")
        self._print_logins()
        if plan.lan is not None:
            self._say(
                "\n局域网模式:仅供开发演示 / LAN mode: a development system, for demonstration only"
            )
            self._say(plan.lan.qr_lines())
            self._say(f"  手机扫码 / scan: {plan.lan.url}/m")
            self._offer_code()
        self._say(f"\nCtrl-C 停止 / stops everything; 日志 / logs: {plan.var.logs}")

    def _offer_code(self) -> None:
        self._say(f"  一次性口令 / one-time code for a sample login: {self._codes.issue()}")

    def _look_around(self) -> bool:
        """Tell what a child refused; print the next code when the last one was used. Never ends
        the watch."""
        for name in self._family.take_refusals():
            told = "".join(f"\n  | {line}" for line in self._family.log_tail(name)[-3:])
            self._say(
                f"\n{name} 没有启动,其余照常运行:处理后按 Ctrl-C 再启动 / {name} refused to start, "
                f"the rest goes on; when it is dealt with, stop with Ctrl-C and start again:{told}"
            )
        if self._plan.lan is not None and not self._codes.is_waiting():
            self._offer_code()
        return False

    def _print_logins(self) -> None:
        path = self._plan.var.logins
        if not path.is_file():
            return
        logins = json.loads(path.read_text("utf-8"))
        self._say(f"\n示例账号 / sample logins ({path})")
        if logins:
            self._say("  " + "  ".join(logins[0]))
        for login in logins:
            shown = "  ".join(str(value) for value in login.values() if value not in (None, ""))
            self._say(f"  {shown}")
