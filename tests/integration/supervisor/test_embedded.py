"""The supervisor with small scripts in place of the real commands."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.entrypoints.supervisor.children import (
    ChildDiedError,
    Command,
    Family,
    StopRequestedError,
)
from backend.entrypoints.supervisor.embedded import EmbeddedSystem, Plan
from backend.entrypoints.supervisor.files import StartRefusedError, VarFolder
from backend.entrypoints.supervisor.network import LanAccess, require_free_port

ROOT = Path(__file__).parents[3]

# Answers every request: a ledger to POST, a healthy web to GET.
SERVER = """
import http.server, json, sys, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self):
        body = json.dumps({"result": "0x539"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = reply
    def log_message(self, *a): pass
pathlib.Path(sys.argv[2]).mkdir(exist_ok=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
NOTE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
SLEEP = "import time; time.sleep(60)"


def script(name: str, code: str, *arguments: str) -> Command:
    return Command(name, (sys.executable, "-c", code, *arguments))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Scene:
    """A plan of fakes, and what they wrote."""

    def __init__(self, folder: Path) -> None:
        self.var = VarFolder(folder / "var", folder / "var" / "secrets")
        self.var.prepare()
        self.notes = folder / "notes"
        self.said: list[str] = []
        ledger_port, web_port = free_port(), free_port()
        self.plan = Plan(
            root=folder,
            var=self.var,
            environment=dict(os.environ),
            ledger=script("devchain", SERVER, str(ledger_port), str(self.var.ledger)),
            migrate=self.note("migrate"),
            deploy=self.note("deploy"),
            worker=script("worker", SLEEP),
            web=script("web", SERVER, str(web_port), str(folder / "web")),
            sample=self.note("sample"),
            ledger_url=f"http://127.0.0.1:{ledger_port}",
            ledger_port=ledger_port,
            web_host="127.0.0.1",
            web_port=web_port,
            web_url=f"http://127.0.0.1:{web_port}",
        )

    def note(self, text: str) -> Command:
        return script(text, NOTE, str(self.notes), text)

    def done(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []

    def run(self, *, until: str = "Ctrl-C", plan: Plan | None = None) -> None:
        """Run the system and ask it to stop as soon as it says the text."""
        system = EmbeddedSystem(plan or self.plan, lambda line: self._hear(line, until))
        system.run()

    def _hear(self, line: str, until: str) -> None:
        self.said.append(line)
        if until in line:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture(autouse=True)
def _keep_signals() -> object:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_first_start_then_the_next(scene: Scene) -> None:
    scene.run()
    assert scene.done() == ["migrate", "deploy", "sample"]
    assert "ready" in scene.text
    assert scene.plan.web_url + "/m" in scene.text
    assert "stopped" in scene.said[-1]
    assert port_is_free(scene.plan.web_port)
    assert port_is_free(scene.plan.ledger_port)
    scene.run()
    assert scene.done() == ["migrate", "deploy", "sample", "migrate", "deploy"]


def test_logins_are_printed(scene: Scene) -> None:
    scene.var.logins.parent.mkdir()
    logins = [{"role": "citizen", "name": "张三", "username": "c01", "password": "code 12"}]
    scene.var.logins.write_text(json.dumps(logins))
    scene.run()
    assert "citizen  张三  c01  code 12" in scene.text


def test_secrets_are_made_once_and_private(scene: Scene) -> None:
    path = scene.var.secrets_path / "network_key"
    first = path.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n", first)
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (scene.var.path, scene.var.logs, scene.var.secrets_path):
        assert folder.stat().st_mode & 0o777 == 0o700
    scene.var.prepare()
    assert path.read_text() == first
    values = {item.read_text() for item in scene.var.secrets_path.iterdir()}
    assert len(values) == 4


@pytest.mark.slow
@pytest.mark.parametrize("dead", ["worker", "web", "devchain"])
def test_a_dead_child_stops_all_and_is_named(scene: Scene, dead: str) -> None:
    died = script(dead, "import sys,time; time.sleep(1.5); print('no more ink'); sys.exit(3)")
    field = {"devchain": "ledger"}.get(dead, dead)
    if field == "worker":
        plan = replace(scene.plan, worker=died)
    else:
        original = getattr(scene.plan, field)
        code = (
            "import threading,os,time\n"
            "threading.Thread(target=lambda: (time.sleep(2.5), print('no more ink', flush=True),"
            " os._exit(3))).start()\n" + SERVER
        )
        plan = replace(scene.plan, **{field: script(dead, code, *original.argv[3:])})
    with pytest.raises(ChildDiedError, match=rf"{dead} ended \(exit 3\)[\s\S]*no more ink"):
        scene.run(until="(never)", plan=plan)
    assert port_is_free(scene.plan.web_port)
    assert port_is_free(scene.plan.ledger_port)


def test_a_failing_step_stops_the_start(scene: Scene) -> None:
    broken = script("contracts", "import sys; print('no such role'); sys.exit(1)")
    with pytest.raises(ChildDiedError, match=r"contracts ended \(exit 1\)[\s\S]*no such role"):
        scene.run(plan=replace(scene.plan, deploy=broken))
    assert scene.done() == ["migrate"]
    assert port_is_free(scene.plan.ledger_port)


@pytest.mark.parametrize(("which", "option"), [("ledger", "--ledger-port"), ("web", "--port")])
def test_busy_port_is_named_before_anything_starts(scene: Scene, which: str, option: str) -> None:
    port = scene.plan.ledger_port if which == "ledger" else scene.plan.web_port
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(StartRefusedError, match=rf"Port {port} for the {which}.*{option}"):
            scene.run()
    assert scene.done() == []


def test_free_port_passes() -> None:
    require_free_port("127.0.0.1", free_port(), option="--port", zh="网页", en="web")


def test_two_supervisors_do_not_share_a_folder(scene: Scene) -> None:
    with scene.var.lock(), pytest.raises(StartRefusedError, match="already running"):
        scene.var.lock()
    scene.var.lock().close()


def test_older_contracts_are_set_aside(scene: Scene) -> None:
    scene.run()
    (scene.var.path / "yichu.db").write_text("old")
    # As `yichu contracts deploy` answers: 4 on the old ledger, 0 on the new one.
    code = NOTE + "; import pathlib; sys.exit(4 if pathlib.Path(sys.argv[3]).exists() else 0)"
    old = str(scene.var.path / "yichu.db")
    deploy = script("deploy", code, str(scene.notes), "deploy", old)
    scene.said.clear()
    scene.run(plan=replace(scene.plan, deploy=deploy))
    aside = next(scene.var.path.glob("set-aside-*"))
    assert (aside / "yichu.db").read_text() == "old"
    assert (aside / "ledger").is_dir()
    assert (aside / "sample.done").exists()
    assert not (scene.var.path / "yichu.db").exists()
    assert "not those of this version" in scene.text
    assert str(aside) in scene.text
    assert scene.done()[3:] == ["migrate", "deploy", "migrate", "deploy", "sample"]
    assert (scene.var.secrets_path / "network_key").exists()


def test_interrupted_sample_starts_anew(scene: Scene) -> None:
    slow = script("sample", NOTE + "; import time; time.sleep(60)", str(scene.notes), "begun")

    def stop_when_begun() -> bool:
        if "begun" in scene.done():
            os.kill(os.getpid(), signal.SIGINT)
        return False

    family_wait = Family.wait_until

    def wait(self: Family, ready: Callable[[], bool], seconds: float | None = None) -> bool:
        return family_wait(self, lambda: ready() or stop_when_begun(), seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Family, "wait_until", wait)
        scene.run(plan=replace(scene.plan, sample=slow))
    assert "ready (" not in scene.text
    assert scene.var.sample_interrupted()
    scene.run()
    assert scene.var.sample_loaded()
    assert "interrupted" in scene.text
    assert len(list(scene.var.path.glob("set-aside-*"))) == 1


def test_set_aside_moves_the_ledger_last(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    rename = Path.rename
    for name in ("ledger", "keystores", "sample"):
        (scene.var.path / name).mkdir()
    (scene.var.path / "yichu.db").touch()

    def record(self: Path, target: Path) -> Path:
        moved.append(self.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", record)
    scene.var.set_aside(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert moved[-1] == "ledger"
    assert "yichu.db" in moved


def test_a_child_that_refuses_to_work_leaves_the_others_running(tmp_path: Path) -> None:
    """A worker on a restored database: ledger and web are needed to put it right."""
    family = Family(tmp_path, tmp_path / "log", dict(os.environ))
    family.start(script("web", SLEEP))
    refusal = "print('run yichu reconcile'); raise SystemExit(5)"
    family.start(script("worker", refusal), may_refuse=5)
    found: list[str] = []

    def refused() -> bool:
        found.extend(family.take_refusals())
        return bool(found)

    assert family.wait_until(refused, 10)
    assert found == ["worker"]
    assert family.log_tail("worker") == ("run yichu reconcile",)
    family.check()
    family.stop()


def test_a_child_that_ends_with_another_status_than_its_refusal_ends_the_family(
    tmp_path: Path,
) -> None:
    family = Family(tmp_path, tmp_path / "log", dict(os.environ))
    family.start(script("worker", "raise SystemExit(1)"), may_refuse=5)
    with pytest.raises(ChildDiedError, match=r"worker ended \(exit 1\)"):
        family.wait_until(lambda: False, 10)
    family.stop()


def test_a_stubborn_child_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import signal,subprocess,sys,time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    family = Family(tmp_path, tmp_path / "log", dict(os.environ))
    family.start(script("stubborn", code))
    assert family.wait_until(lambda: bool(family.log_tail("stubborn")), 10)
    grandchild = int(family.log_tail("stubborn")[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.entrypoints.supervisor.children.STOP_SECONDS", 0.3)
        began = time.monotonic()
        family.stop()
    assert time.monotonic() - began < 7  # not the eight seconds of a real stop
    assert not is_running(grandchild)


def is_running(pid: int) -> bool:
    for _ in range(40):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_a_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    code = (
        "import os,sys,time,pathlib\n"
        "from backend.entrypoints.supervisor.children import Command, Family\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "family = Family(folder, folder, dict(os.environ))\n"
        "family.start(Command('child', (sys.executable, '-c',"
        " 'import os,time; print(os.getpid(), flush=True); time.sleep(60)')))\n"
        "time.sleep(60)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    log = tmp_path / "child.log"
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    supervisor.kill()
    supervisor.wait()
    assert not is_running(int(log.read_text()))


def test_signal_during_a_wait(tmp_path: Path) -> None:
    family = Family(tmp_path, tmp_path / "log", dict(os.environ))
    family.stop_requested = True
    with pytest.raises(StopRequestedError):
        family.run(script("sleep", SLEEP))


def test_lan_access() -> None:
    access = LanAccess.create("192.0.2.7", 8000)
    assert access.url == "http://192.0.2.7:8000"
    assert "█" in access.qr_lines() or "▀" in access.qr_lines()


def test_lan_start_prints_address_and_a_code_that_is_gone_after_the_stop(scene: Scene) -> None:
    access = LanAccess("http://192.0.2.7:8000")
    scene.run(plan=replace(scene.plan, lan=access))
    assert re.search(r"one-time code for a sample login: \d{8}\n", scene.text + "\n")
    assert "http://192.0.2.7:8000/m" in scene.text
    assert not (scene.plan.var.path / "lan-code").exists()


def test_fresh_sets_everything_aside_and_loads_the_sample_anew(scene: Scene) -> None:
    scene.run()
    assert scene.done().count("sample") == 1
    scene.said.clear()
    system = EmbeddedSystem(scene.plan, lambda line: scene._hear(line, "Ctrl-C"), is_fresh=True)
    system.run()
    assert "按 --fresh 重新开始" in scene.text and "set-aside-" in scene.text
    assert scene.done().count("sample") == 2
    assert list(scene.var.path.glob("set-aside-*"))
