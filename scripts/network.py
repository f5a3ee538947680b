#!/usr/bin/env python3
"""A permissioned network of validators on this machine: geth 1.13.15 sealing Clique.

    scripts/network.py build                 builds that geth with Go, once (2 to 4 minutes)
    scripts/network.py up --validators 4     starts it (again); everything is kept in the folder
    scripts/network.py status                height, head, peers and process of each validator
    scripts/network.py kill 2                SIGKILL; restart 2 brings it back
    scripts/network.py cut [1,3 2,4]         two halves that do not see each other; heal joins them
    scripts/network.py hold                  no validator seals until release
    scripts/network.py down                  stops all, keeps all

Berlin rules, no base fee, zero gas price, a block a second, one process and folder a validator,
loopback addresses only. Each network gets fresh keys, whose passwords are random files of mode
0600. Validators are numbered by ascending address, which is the order in which they seal; by
default a cut separates odd from even, so that both halves have somebody whose turn it is.

It is for tests and trials: the administration methods of each node are open on loopback. Standard
library only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a file, outside the project's environment
    sys.path.insert(0, str(ROOT))

from scripts.geth_binary import NetworkError, build, geth_path, run_geth  # noqa: E402

CHAIN_ID: Final = 20_250
PERIOD_SECONDS: Final = 1
#: Every epoch the header lists the signers anew: what a reader has to walk at most to know them.
EPOCH_BLOCKS: Final = 3_600
GAS_LIMIT: Final = 30_000_000
FIRST_PORT: Final = 8645
VALIDATORS_MAX: Final = 9
_LOOPBACK: Final = "127.0.0.1"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
#: geth does not dial one peer twice within 35 seconds.
_REDIAL_SECONDS: Final = 45.0
_FORKS: Final = (
    "homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg",
    "istanbul", "berlin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Validator:
    """One validator: its number (from 1), its account and its three ports on loopback."""

    number: int
    address: str
    http_port: int
    peer_port: int
    auth_port: int

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.http_port}"

    def rpc(self, method: str, *params: Any, seconds: float = 5.0) -> Any:
        """The result of one call; raises NetworkError when there is none."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        request = urllib.request.Request(  # noqa: S310 (a loopback address)
            self.url, body.encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=seconds) as response:
                answer = json.load(response)
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise NetworkError(f"validator {self.number} does not answer: {error}") from error
        if answer.get("error"):
            raise NetworkError(f"validator {self.number}: {answer['error'].get('message')}")
        return answer.get("result")


@dataclass
class Network:
    """The validators of one folder, and which of them may see each other."""

    folder: Path
    chain_id: int
    validators: list[Validator]
    #: Numbers of the validators that are joined; one group unless the network is cut.
    groups: list[list[int]] = field(default_factory=list)

    # --- what is kept -------------------------------------------------------------------------

    @classmethod
    def load(cls, folder: Path) -> Network:
        try:
            kept = json.loads((folder / "network.json").read_text("utf-8"))
        except OSError as error:
            raise NetworkError(f"there is no network in {folder}: run up first") from error
        validators = [Validator(**one) for one in kept["validators"]]
        return cls(folder, kept["chain_id"], validators, kept["groups"])

    def save(self) -> None:
        kept = {
            "chain_id": self.chain_id,
            "validators": [asdict(one) for one in self.validators],
            "groups": self.groups,
        }
        partial = self.folder / "network.json.partial"
        partial.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
        partial.replace(self.folder / "network.json")

    @classmethod
    def create(cls, folder: Path, count: int, first_port: int) -> Network:
        """Fresh keys and one genesis; nothing runs yet."""
        if not 1 <= count <= VALIDATORS_MAX:
            raise NetworkError(f"--validators: 1 to {VALIDATORS_MAX}")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = sorted(_make_account(folder / f"new-{n}") for n in range(count))
        ports = _ports(3 * count, first_port)
        validators = []
        for number, (address, where) in enumerate(made, 1):
            where.rename(folder / f"validator-{number}")
            place = 3 * (number - 1)
            validators.append(Validator(number, address, *ports[place : place + 3]))
        network = cls(folder, CHAIN_ID, validators, [[one.number for one in validators]])
        genesis = folder / "genesis.json"
        genesis.write_text(json.dumps(network.genesis(), indent=2) + "\n", "utf-8")
        for one in validators:
            home = network.home(one)
            run_geth("--datadir", str(home), "init", str(genesis))
            # No flag says where peers are listened to: --port alone opens every address.
            listen = f'[Node.P2P]\nListenAddr = "{_LOOPBACK}:{one.peer_port}"\n'
            (home / "config.toml").write_text(listen, "utf-8")
        network.save()
        return network

    def genesis(self) -> dict[str, Any]:
        """Berlin from the first block on, and the signers in ascending order."""
        rules: dict[str, Any] = {f"{name}Block": 0 for name in _FORKS}
        rules |= {"chainId": self.chain_id}
        rules |= {"clique": {"period": PERIOD_SECONDS, "epoch": EPOCH_BLOCKS}}
        signers = "".join(one.address[2:].lower() for one in self.validators)
        return {
            "config": rules,
            "difficulty": "1",
            "gasLimit": hex(GAS_LIMIT),
            "timestamp": hex(int(time.time())),
            "extradata": "0x" + "00" * 32 + signers + "00" * 65,
            "alloc": {},
        }

    def home(self, one: Validator) -> Path:
        return self.folder / f"validator-{one.number}"

    def find(self, number: int) -> Validator:
        for one in self.validators:
            if one.number == number:
                return one
        raise NetworkError(f"there is no validator {number}; they are 1 to {len(self.validators)}")

    # --- processes ----------------------------------------------------------------------------

    def running(self) -> list[Validator]:
        return [one for one in self.validators if self.pid(one) is not None]

    def pid(self, one: Validator) -> int | None:
        """The process of a validator, None when it does not run. A number that now belongs to
        another program is not taken for it."""
        try:
            pid = int((self.home(one) / "pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if str(self.home(one)) in _command_line(pid) else None

    def start(self, one: Validator) -> None:
        if self.pid(one) is not None:
            return
        home = self.home(one)
        with (home / "geth.log").open("ab") as log:
            process = subprocess.Popen(
                (geth_path(), *self._flags(one)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (home / "pid").write_text(str(process.pid))

        def answers() -> bool:
            if process.poll() is not None:
                tail = (home / "geth.log").read_text("utf-8", "replace").splitlines()[-3:]
                raise NetworkError(f"validator {one.number} ended at once: " + " | ".join(tail))
            return bool(one.rpc("eth_chainId"))

        _wait(f"validator {one.number} to answer", answers, _START_SECONDS)

    def _flags(self, one: Validator) -> list[str]:
        home = self.home(one)
        listening = ["--http", "--http.addr", _LOOPBACK, "--http.port", str(one.http_port)]
        listening += ["--http.api", "eth,net,web3,txpool,admin,clique,miner"]
        listening += ["--authrpc.addr", _LOOPBACK, "--authrpc.port", str(one.auth_port)]
        peers = ["--config", str(home / "config.toml"), "--nodiscover", "--nat", "none"]
        peers += ["--netrestrict", "127.0.0.0/8", "--maxpeers", str(2 * VALIDATORS_MAX)]
        sealing = ["--mine", "--miner.etherbase", one.address, "--miner.gaslimit", str(GAS_LIMIT)]
        sealing += ["--unlock", one.address, "--password", str(home / "password")]
        sealing += ["--allow-insecure-unlock"]
        free = ["--miner.gasprice", "0", "--txpool.pricelimit", "0", "--gpo.ignoreprice", "0"]
        kept = ["--datadir", str(home), "--syncmode", "full", "--gcmode", "archive"]
        kept += ["--cache", "64", "--networkid", str(self.chain_id), "--ipcdisable"]
        return [*kept, *listening, *peers, *sealing, *free]

    def end(self, one: Validator, number: signal.Signals) -> None:
        """Signal the process of a validator and wait until it is gone."""
        pid = self.pid(one)
        if pid is None:
            return
        os.kill(pid, number)
        try:
            _wait("the process to end", lambda: self.pid(one) is None, _STOP_SECONDS)
        except NetworkError:
            os.kill(pid, signal.SIGKILL)
            _wait("the process to end", lambda: self.pid(one) is None, _STOP_SECONDS)

    # --- peers --------------------------------------------------------------------------------

    def join(self) -> None:
        """Connect the running validators within each group, and nobody across."""
        enodes = self._enodes()
        groups = [[number for number in group if number in enodes] for group in self.groups]
        pairs = [pair for group in groups for pair in itertools.combinations(group, 2)]
        # One side dials, then the other: a side that dialled lately does not dial again at once.
        for turn in (pairs, [(second, first) for first, second in pairs]):
            for dialler, other in turn:
                self.find(dialler).rpc("admin_addPeer", enodes[other])
            if _is_true_within(lambda: self._missing_links() == 0, 3.0):
                return
        _wait("the validators to connect", lambda: self._missing_links() == 0, _REDIAL_SECONDS)

    def separate(self) -> None:
        """Part the validators of different groups."""

        def part() -> bool:
            # Again until it is done: a side that has not heard of it yet may dial once more.
            enodes = self._enodes()
            for one, other in itertools.permutations(self.running(), 2):
                if not any({one.number, other.number} <= set(group) for group in self.groups):
                    one.rpc("admin_removePeer", enodes[other.number])
            return self._strange_links() == 0

        _wait("the halves to part", part, 20.0)

    def _enodes(self) -> dict[int, str]:
        """What the others dial, of each running validator by number."""
        return {
            one.number: f"{one.rpc('admin_nodeInfo')['enode'].split('@')[0]}"
            f"@{_LOOPBACK}:{one.peer_port}"
            for one in self.running()
        }

    def _links(self) -> set[tuple[str, str]]:
        """(node id, node id of a peer) of each running validator."""
        found = set()
        for one in self.running():
            own = one.rpc("admin_nodeInfo")["id"]
            found |= {(own, peer["id"]) for peer in one.rpc("admin_peers") or []}
        return found

    def _wanted(self) -> set[tuple[str, str]]:
        ids = {one.number: one.rpc("admin_nodeInfo")["id"] for one in self.running()}
        return {(ids[a], ids[b]) for group in self.groups
                for a, b in itertools.permutations([n for n in group if n in ids], 2)}  # fmt: skip

    def _missing_links(self) -> int:
        return len(self._wanted() - self._links())

    def _strange_links(self) -> int:
        return len(self._links() - self._wanted())

    def heights(self) -> dict[int, int]:
        return {one.number: int(one.rpc("eth_blockNumber"), 16) for one in self.running()}


# --- small parts ----------------------------------------------------------------------------------


def _make_account(home: Path) -> tuple[str, Path]:
    """(address, folder) of a fresh account in a keystore of its own."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    password = home / "password"
    handle = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(16) + "\n")
    run_geth("--datadir", str(home), "account", "new", "--lightkdf", "--password", str(password))
    (keystore,) = (home / "keystore").iterdir()
    return "0x" + json.loads(keystore.read_text("utf-8"))["address"].lower(), home


def _ports(count: int, first: int) -> list[int]:
    """Free ports: in a row from ``first``, or any when it is 0. All are held until all are
    found, so that none is given twice."""
    held: list[socket.socket] = []
    try:
        for place in range(count):
            probe = socket.socket()
            held.append(probe)
            try:
                probe.bind((_LOOPBACK, first + place if first else 0))
            except OSError as error:
                raise NetworkError(
                    f"port {first + place} is in use; choose others with --first-port"
                ) from error
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()


def _command_line(pid: int) -> str:
    """Of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        pass
    if Path("/proc/self/cmdline").exists():
        return ""
    done = subprocess.run(
        ("ps", "-p", str(pid), "-o", "args="), capture_output=True, text=True, check=False
    )
    return done.stdout


def _is_true_within(ask: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if ask():
                return True
        except NetworkError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def _wait(what: str, ask: Callable[[], bool], seconds: float) -> None:
    if not _is_true_within(ask, seconds):
        raise NetworkError(f"waited {seconds:.0f} s for {what}")


# --- commands -------------------------------------------------------------------------------------


def up(folder: Path, count: int, first_port: int) -> None:
    """Start the network, or what of it does not run."""
    if (folder / "network.json").is_file():
        network = Network.load(folder)
        if count not in (0, len(network.validators)):
            raise NetworkError(f"the network in {folder} has {len(network.validators)} validators")
    else:
        network = Network.create(folder, count or 4, first_port)
    for one in network.validators:
        network.start(one)
    network.join()
    if len(network.groups) == 1:
        # After the first block geth pauses for some seconds: then it goes on by the second.
        _wait("the third block", lambda: min(network.heights().values()) >= 3, _START_SECONDS)
    urls = ",".join(one.url for one in network.validators)
    print(f"export YICHU_RPC_URLS={urls}")
    print("export YICHU_FEE_MODE=legacy-zero")
    print(f"export YICHU_FINALITY=clique:{EPOCH_BLOCKS}")


def down(network: Network) -> None:
    """Stop every validator; state stays."""
    for one in network.running():
        network.end(one, signal.SIGTERM)


def kill(network: Network, number: int) -> None:
    """SIGKILL to one validator: no chance to tidy up."""
    network.end(network.find(number), signal.SIGKILL)


def restart(network: Network, number: int) -> None:
    """Start a validator again, after stopping it if it runs, and connect it to its group."""
    one = network.find(number)
    network.end(one, signal.SIGTERM)
    network.start(one)
    network.join()


def cut(network: Network, halves: Sequence[str]) -> None:
    """Part the network into halves; default: odd and even numbers."""
    numbers = [one.number for one in network.validators]
    if halves:
        groups = [[int(n) for n in half.split(",")] for half in halves]
    else:
        groups = [[n for n in numbers if n % 2], [n for n in numbers if not n % 2]]
    if sorted(n for group in groups for n in group) != numbers:
        raise NetworkError("each validator belongs to exactly one half, as in: cut 1,3 2,4")
    network.groups = groups
    network.save()
    network.separate()


def heal(network: Network) -> None:
    """Join the halves again."""
    network.groups = [[one.number for one in network.validators]]
    network.save()
    network.join()


def seal(network: Network, is_sealing: bool) -> None:
    """Let every running validator seal, or none."""
    for one in network.running():
        one.rpc("miner_start" if is_sealing else "miner_stop")


def status(network: Network) -> None:
    """One line a validator."""
    for one in network.validators:
        line = f"{one.number}  {one.address}  {one.url}  "
        if network.pid(one) is None:
            print(line + "stopped")
            continue
        head = one.rpc("eth_getBlockByNumber", "latest", False)
        age = int(time.time()) - int(head["timestamp"], 16)
        peers = len(one.rpc("admin_peers") or [])
        print(f"{line}block {int(head['number'], 16)} {head['hash'][:12]} ({age} s old), "
              f"{peers} peers")  # fmt: skip
    if len(network.groups) > 1:
        print(f"cut: {network.groups}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kept = ROOT / "var" / "network"
    parser.add_argument("--folder", type=Path, default=kept, help="default: var/network")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("build", "down", "heal", "hold", "release", "status"):
        commands.add_parser(name)
    start = commands.add_parser("up")
    start.add_argument("--validators", type=int, default=0, help="default: 4")
    start.add_argument("--first-port", type=int, default=FIRST_PORT, help="0: any free ones")
    for name in ("kill", "restart"):
        commands.add_parser(name).add_argument("number", type=int)
    commands.add_parser("cut").add_argument("halves", nargs="*", help="such as 1,3 2,4")
    options = parser.parse_args(arguments)
    try:
        _run(options, options.folder.absolute())
    except NetworkError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, folder: Path) -> None:
    if options.command == "build":
        build()
    elif options.command == "up":
        up(folder, options.validators, options.first_port)
    else:
        network = Network.load(folder)
        actions: dict[str, Callable[[], None]] = {
            "down": lambda: down(network),
            "kill": lambda: kill(network, options.number),
            "restart": lambda: restart(network, options.number),
            "cut": lambda: cut(network, options.halves),
            "heal": lambda: heal(network),
            "hold": lambda: seal(network, False),
            "release": lambda: seal(network, True),
            "status": lambda: status(network),
        }
        actions[options.command]()


if __name__ == "__main__":
    sys.exit(main())
