"""House rules that a test can check: size, names, money, last handlers, errors' roots."""

from __future__ import annotations

import ast
import re

import pytest

from .sources import PACKAGES, ROOT, Source, sources

FUNCTION_LINES = 70
MODULE_LINES = 500
#: Words that say nothing about what is inside.
EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?|base|misc|stuff)(_|$)")
#: Where money is computed: integer fen and Decimal, never a float.
MONEY = re.compile(
    r"backend/domain/|backend/service_layer/(claims|payout|journal|payees|recovery)/"
    r"|backend/adapters/(einvoice|bank|iso20022)"
)
#: The one handler of each entry point that turns the unexpected into an answer or exit status.
LAST_HANDLERS = frozenset(
    {
        "backend/entrypoints/anchor_worker.py",
        "backend/entrypoints/cli/main.py",
        "backend/entrypoints/devchain/server.py",
        "backend/entrypoints/problems.py",
        # Hands what stopped a thread to the thread that waits for it, which raises it.
        "scripts/sample_data/load.py",
        "verifier/cli.py",
    }
)


def judged() -> list[Source]:
    """All but migrations: each is a list of tables as they once were, written by a tool."""
    return [item for item in sources() if not item.path.startswith("migrations/versions/")]


def test_modules_are_short() -> None:
    long = {source.path: source.lines for source in judged() if source.lines > MODULE_LINES}
    assert long == {}


def test_functions_fit_a_screen() -> None:
    long = {}
    for source in judged():
        for function in source.functions():
            # Decorators and the signature are no logic: the body is what must fit.
            body = (function.end_lineno or 0) - function.body[0].lineno + 1
            if body > FUNCTION_LINES:
                long[f"{source.path}:{function.name}"] = body
    assert long == {}


def test_names_say_something() -> None:
    empty = []
    for source in sources():
        parts = source.path.removesuffix(".py").split("/")
        empty += [source.path for part in parts if EMPTY_NAMES.search(part)]
        empty += [
            f"{source.path}:{node.name}"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ClassDef)
            and re.search(r"(Utils?|Helpers?|Common|Manager|Base)$", node.name)
        ]
    assert empty == []


def test_money_is_never_a_float() -> None:
    found = [
        f"{source.path}:{node.lineno}"
        for source in sources("backend")
        if MONEY.match(source.path)
        for node in ast.walk(source.tree)
        if _is_float(node)
    ]
    assert found == []


def _is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    if isinstance(node, ast.Name):
        return node.id == "float"
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _path_join(node)


def _path_join(node: ast.BinOp) -> bool:
    """``folder / "name"`` is no division."""
    return isinstance(node.right, ast.Constant | ast.JoinedStr) and not isinstance(
        getattr(node.right, "value", None), int
    )


def test_only_last_handlers_catch_everything() -> None:
    found = {
        source.path
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and not _reraises(node)
    }
    assert found <= LAST_HANDLERS, sorted(found - LAST_HANDLERS)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )


def _reraises(handler: ast.ExceptHandler) -> bool:
    """Clean-up that raises again hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_every_module_says_what_it_is() -> None:
    silent = [
        source.path
        for source in sources("backend", "verifier", "scripts")
        if source.text.strip() and not ast.get_docstring(source.tree)
    ]
    assert silent == []


def test_no_module_level_work_in_packages() -> None:
    """Nothing happens on import: a package's ``__init__`` defines names and calls little."""
    busy = [
        source.path
        for source in sources("backend", "verifier")
        for node in source.tree.body
        if isinstance(node, ast.For | ast.While | ast.With)
    ]
    assert busy == []


#: Folders of a workplace and package registries, put together here, so that this file may be
#: searched for them as any other.
FOREIGN = tuple(
    "".join(parts)
    for parts in (
        ("/", "work/"),
        ("/tmp", "/bp"),
        ("index", "-url"),
        ("registry", ".npmjs"),
        ("files", ".pythonhosted"),
    )
)


def _foreign(text: str) -> list[str]:
    # A folder of that name inside another one is nobody's workplace.
    found = {place: re.escape(place) for place in FOREIGN}
    found[FOREIGN[0]] = rf"(?<![\w.]){re.escape(FOREIGN[0])}"
    return [place for place, pattern in found.items() if re.search(pattern, text)]


def test_no_word_of_where_it_was_written() -> None:
    """Project files name no folder of the machine that they were written on, and no registry."""
    paths = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile")]
    for package in (*PACKAGES, "tests", "docs", "contracts/interfaces", ".ci"):
        paths += sorted((ROOT / package).rglob("*"))
    kinds = {".py", ".md", ".sol", ".json", ".html", ""}
    read = [path for path in paths if path.suffix in kinds and path.is_file()]
    assert ROOT / "tests/architecture/test_form.py" in read
    assert [str(path.relative_to(ROOT)) for path in read if _foreign(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("place", FOREIGN)
def test_a_planted_word_of_where_it_was_written_is_found(place: str) -> None:
    for line in (f"{place}main", f'PATH = "{place}"', f"see `{place}x` or https://{place}.org"):
        assert _foreign(f"# Title\n{line}\n") == [place]
    assert _foreign(f"frame{FOREIGN[0]}, .{FOREIGN[0]}, the index of work, a registry, files") == []
