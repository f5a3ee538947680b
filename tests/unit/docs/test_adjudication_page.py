"""docs/adjudication.md is executed: its commands run, its formulas and allotments are worked out
anew from their definitions, and every number on it is what the command prints."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from backend.entrypoints.cli.policy import command

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = (ROOT / "docs" / "adjudication.md").read_text(encoding="utf-8")
FORMULA: Final = re.compile(r"`([^`=]+) = (-?[\d,]+\.\d\d)`")


def fen(text: str) -> int:
    return int(text.replace(",", "").replace(".", ""))


def tables() -> list[list[dict[str, str]]]:
    found: list[list[dict[str, str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.strip().splitlines()
        ]
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def table(*columns: str) -> list[dict[str, str]]:
    """The rows of all tables with exactly these columns."""
    return [row for rows in tables() for row in rows if tuple(row) == columns]


def value_of(formula: str) -> Fraction:
    """The exact value of a formula of numbers, + - x and percentages."""
    text = formula.replace(",", "").replace("x", "*")
    text = re.sub(r"([\d.]+)%", r"(\1/100)", text)

    def walk(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Expression):
            return walk(node.body)
        if isinstance(node, ast.Constant):
            source = ast.get_source_segment(text.strip(), node)
            assert source is not None
            return Fraction(source)
        assert isinstance(node, ast.BinOp), formula
        left, right = walk(node.left), walk(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        assert isinstance(node.op, ast.Div), formula
        return left / right

    return walk(ast.parse(text.strip(), mode="eval"))


def half_up(value: Fraction) -> int:
    return int((value * 2 + 1) // 2)


def allotted(total: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder, ties to the lower line: as the page says it."""
    whole = sum(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    found = [int(share) for share in exact]
    rest = sorted(range(len(exact)), key=lambda i: (found[i] - exact[i], i))
    for index in rest[: total - sum(found)]:
        found[index] += 1
    return found


@pytest.fixture(scope="module")
def output() -> Any:
    """What the page's commands print: the validation, then the explanation."""
    (block,) = re.findall(r"```\n(yichu .*?)```", PAGE, re.DOTALL)
    results = []
    for line in block.strip().splitlines():
        words = shlex.split(line)
        assert words[:2] == ["yichu", "policy"]
        arguments = [str(ROOT / word) if word.startswith("docs/") else word for word in words[2:]]
        found = CliRunner().invoke(command, arguments)
        assert found.exit_code == 0, found.output
        results.append(found.stdout)
    assert results[0].startswith("yichu-policy-1: demo-city-2026 ")
    return json.loads(results[1])


def cut(line: dict[str, Any], code: str) -> int:
    return sum(one["amount_fen"] for one in line["adjustments"] if one["code"] == code)


def test_every_formula_on_the_page_is_right() -> None:
    formulas = FORMULA.findall(PAGE)
    assert len(formulas) >= 18
    for formula, result in formulas:
        assert half_up(value_of(formula) * 100) == fen(result), formula


def test_a_formula_in_a_step_gives_the_steps_amount() -> None:
    steps = table("step", "yuan", "how", "field")
    assert len(steps) == 18
    for row in steps:
        for _, result in FORMULA.findall(row["how"]):
            assert result == row["yuan"], row


def test_every_step_is_what_the_command_prints(output: Any) -> None:
    named = [row for row in table("step", "yuan", "how", "field") if row["field"]]
    assert len(named) >= 12
    for row in named:
        field = row["field"].strip("`")
        kind, _, code = field.partition(":")
        expected = (
            sum(cut(line, code) for line in output["lines"]) if kind == "cut" else output[field]
        )
        assert fen(row["yuan"]) == expected, row


def test_the_page_names_the_codes_that_were_not_printed(output: Any) -> None:
    matched = {
        line["index"] + 1: (line["matched_how"], line["matched_code"])
        for line in output["lines"]
        if "matched_how" in line
    }
    told = re.findall(r"^- line (\d+): (\w+), judged as `(\w+)`$", PAGE, re.MULTILINE)
    assert {int(number): (how, code) for number, how, code in told} == matched
    assert len(matched) == 2


SPLIT: Final = ("line", "item", "amount", "self-paid", "above limit", "paid first", "how")


def test_the_line_split_is_what_the_command_prints(output: Any) -> None:
    *rows, last = table(*SPLIT)
    assert len(rows) == len(output["lines"]) == 13
    for row, line in zip(rows, output["lines"], strict=True):
        assert (int(row["line"]), row["item"]) == (line["index"] + 1, line["name"])
        assert [fen(row[name]) for name in SPLIT[2:6]] == [
            line["submitted_fen"],
            line["fulamt_ownpay_fen"],
            line["overlmt_fen"],
            cut(line, "class-b-share"),
        ]
        printed = [row["above limit"], row["paid first"]]
        for _, result in FORMULA.findall(row["how"]):
            assert result in printed, row
    for name in SPLIT[2:6]:
        assert fen(last[name]) == sum(fen(row[name]) for row in rows)
    assert fen(last["amount"]) == output["medfee_sumamt_fen"]


def test_the_share_paid_elsewhere_is_allotted_as_the_page_says(output: Any) -> None:
    rows = table("line", "left", "elsewhere", "in scope")
    left = [fen(row["left"]) for row in rows]
    shares = allotted(228_052, left)
    assert [fen(row["elsewhere"]) for row in rows] == shares
    assert [fen(row["in scope"]) for row in rows] == [
        a - b for a, b in zip(left, shares, strict=True)
    ]
    for row, line in zip(rows, output["lines"][:11], strict=True):
        assert fen(row["elsewhere"]) == cut(line, "remote-share")
        assert fen(row["in scope"]) == line["inscp_fen"]
    assert [line["inscp_fen"] for line in output["lines"][11:]] == [0, 0]


PAID: Final = ("line", "in scope", "pool", "layer 2", "layer 3", "supplement", "paid")


def test_every_layer_is_allotted_as_the_page_says(output: Any) -> None:
    *rows, last = table(*PAID)
    left = [fen(row["in scope"]) for row in rows]
    totals = (1_200_000, 451_479, 200_493, 120_296)
    for name, total in zip(PAID[2:6], totals, strict=True):
        shares = allotted(total, left)
        assert [fen(row[name]) for row in rows] == shares, name
        assert fen(last[name]) == total
        left = [a - b for a, b in zip(left, shares, strict=True)]
    names = ("inscp_fen", "pool_fen", "layer2_fen", "layer3_fen", "supplement_fen", "paid_fen")
    for row, line in zip(rows, output["lines"][:11], strict=True):
        assert [fen(row[column]) for column in PAID[1:]] == [line[name] for name in names]
    assert fen(last["paid"]) == output["paid_fen"]


CUTS: Final = ("line", "deductible", "ratio", "cap", "layer 2", "layer 3", "supplement")
CODES: Final = (
    "deductible", "personal-ratio", "yearly-cap", "layer-2-paid", "layer-3-paid", "supplement-paid",
)  # fmt: skip


def test_every_line_gives_its_reasons_and_balances(output: Any) -> None:
    rows = table(*CUTS)
    assert len(rows) == 11
    for row, line in zip(rows, output["lines"][:11], strict=True):
        assert [fen(row[column]) for column in CUTS[1:]] == [cut(line, code) for code in CODES]
    for line in output["lines"]:
        reasons = sum(one["amount_fen"] for one in line["adjustments"])
        assert line["submitted_fen"] == line["paid_fen"] + reasons


def test_the_reasons_of_a_line_are_allotted_as_the_page_says(output: Any) -> None:
    own = [line["inscp_fen"] - line["pool_fen"] for line in output["lines"]]
    for code, total in (("deductible", 50_000), ("yearly-cap", 564_792)):
        shares = allotted(total, own)
        assert [cut(line, code) for line in output["lines"]] == shares, code
        own = [a - b for a, b in zip(own, shares, strict=True)]
    assert [cut(line, "personal-ratio") for line in output["lines"]] == own


def test_the_citizens_table_is_what_the_command_prints(output: Any) -> None:
    rows = table("row", "yuan", "code")
    assert [(row["row"], fen(row["yuan"]), row["code"].strip("`")) for row in rows] == [
        (row["label_zh"], row["amount_fen"], row["code"]) for row in output["summary"]
    ]
    assert sum(fen(row["yuan"]) for row in rows[:-1]) == fen(rows[-1]["yuan"])


@pytest.mark.parametrize(
    ("formula", "right", "wrong"),
    [("100.00 x 10% + 210.00 x 20%", 5_200, 5_201), ("2,560.00 - (360.00 + 0.01)", 219_999, 0)],
)
def test_a_wrong_formula_would_be_noticed(formula: str, right: int, wrong: int) -> None:
    assert half_up(value_of(formula) * 100) == right
    assert half_up(value_of(formula) * 100) != wrong
