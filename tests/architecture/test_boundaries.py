"""Who may know whom: the verifier alone, the layers, columns' classes, routes' rules."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from .sources import ROOT, sources

VERIFIER_PARTS_FOR_BACKEND = ("verifier.commitment", "verifier.errors")


def test_verifier_imports_the_standard_library_and_itself() -> None:
    allowed = sys.stdlib_module_names | {"verifier", "__future__"}
    foreign = {
        f"{source.path}: {name}"
        for source in sources("verifier")
        for name in source.imports()
        if not name.startswith(".") and name.partition(".")[0] not in allowed
    }
    assert foreign == set()


def _importers(*packages: str) -> dict[str, set[str]]:
    """Each module with the modules that it imports anywhere, also for annotations alone."""
    known = {
        source.path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): source
        for source in sources(*packages)
    }
    found: dict[str, set[str]] = {name: set() for name in known}
    for name, source in known.items():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{item.name}" for item in node.names} & known.keys()
                found[name] |= names or {node.module} & known.keys()
    return found


def test_no_modules_import_each_other() -> None:
    try:
        TopologicalSorter(_importers("backend", "verifier")).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_verifier_runs_alone() -> None:
    """In an isolated interpreter without site-packages: nothing of the backend, no extras."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['yichu-verify', '--help']; "
    code += "import verifier.cli; sys.exit(verifier.cli.main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "--trust" in done.stdout


def test_backend_shares_only_the_commitment_code() -> None:
    foreign = {
        f"{source.path}: {name}"
        for source in sources("backend")
        for name in source.imports()
        if name.partition(".")[0] == "verifier" and not name.startswith(VERIFIER_PARTS_FOR_BACKEND)
    }
    assert foreign == set()


def test_imports_point_one_way() -> None:
    """The contracts of .importlinter."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def test_reference_implementation_is_independent() -> None:
    """The second implementation of the committed bytes is written from SPEC.md alone."""
    second = next(
        item for item in sources("tests/reference") if item.path.endswith("/commitment.py")
    )
    foreign = {
        name for name in second.imports() if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_every_column_has_a_data_class() -> None:
    from backend.adapters.database.columns import DataClass
    from backend.adapters.database.tables import metadata

    assert metadata.tables
    missing = [
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if not isinstance(column.info.get("data_class"), DataClass)
    ]
    assert missing == []


def test_every_route_declares_who_may_call_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from backend.bootstrap import build_services
    from backend.entrypoints.access import AccessRule, rule_of
    from backend.entrypoints.web import create_app
    from backend.settings import Settings

    for name in ("NETWORK_KEY", "WRAPPING_KEY", "SESSION_KEY"):
        monkeypatch.setenv(f"YICHU_{name}", "11" * 32)
    app = create_app(build_services(Settings.from_environment({"YICHU_VAR": str(tmp_path)})))
    rules = {str(rule): rule_of(app, rule.endpoint) for rule in app.url_map.iter_rules()}
    assert len(rules) > 5
    assert [route for route, rule in rules.items() if rule is None] == []
    guarded = ("/m/", "/v1/", "/staff", "/audit")
    # Before somebody is known: to log in, to read, to be told that a path does not exist.
    known_public = {
        "/m/login",
        "/m/logout",
        "/m/help",
        "/m/language",
        "/m/mode",
        "/v1/openapi.json",
        "/v1/<path:unknown>",
        "/staff/v1/session",
        "/staff/v1/openapi.json",
        "/staff/v1/<path:unknown>",
    }
    open_routes = {
        route
        for route, rule in rules.items()
        if rule is AccessRule.PUBLIC and route.startswith(guarded)
    }
    assert open_routes <= known_public, sorted(open_routes - known_public)


def test_a_route_without_a_rule_stops_the_start() -> None:
    from flask import Flask

    from backend.entrypoints.access import AccessRule, access, require_declared_rules

    app = Flask("probe", static_folder=None)
    app.add_url_rule("/open", "open", access(AccessRule.PUBLIC)(lambda: ""))
    require_declared_rules(app)
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    with pytest.raises(RuntimeError, match="/forgotten"):
        require_declared_rules(app)
