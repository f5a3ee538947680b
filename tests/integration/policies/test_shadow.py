"""A shadow run compares a pack with past decisions, line by line, and writes nothing."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.catalogue import POLICY_DIRECTORY
from backend.adapters.policy_packs import load_pack
from backend.domain.policy import PolicyPack
from backend.entrypoints.cli.policy import command
from backend.service_layer.claims.records import Claim, Person
from backend.service_layer.claims.submit import submit
from backend.service_layer.handling.review import refuse_pended
from backend.service_layer.policies import shadow as shadow_module
from backend.service_layer.policies.comparison import ClaimComparison, Finding, ShadowTotals
from backend.service_layer.policies.shadow import shadow_run
from tests.integration.claims.world import OUTSIDE, World

# An employee in service at level 2 bears 300.00 of a year first, then the fund pays 60 %.
FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
QUZHOU: dict[str, Any] = json.loads(
    (POLICY_DIRECTORY / "quzhou-2026.json").read_text(encoding="utf-8")
)


def day(number: int) -> dt.date:
    return dt.date(2026, 11, number)


def variant(folder: Path, name: str = "trial", **changes: Any) -> PolicyPack:
    """Quzhou's pack with other rules: {section: {rule_id: {member: value}}} or whole members."""
    value = copy.deepcopy(QUZHOU) | {"pack_id": name}
    for section, change in changes.items():
        if not isinstance(value.get(section), list) or isinstance(change, list):
            value[section] = change
            continue
        for rule in value[section]:
            rule.update(change.get(rule["rule_id"], {}))
    path = folder / f"{name}.json"
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return load_pack(path)


def small_world(folder: Path) -> World:
    """Two bills of one person, decided in two submissions: 500.00, then 400.00."""
    made = World.make(folder)
    person = made.person()
    for number, yuan in ((3, 500), (10, 400)):
        invoice = made.bill(person, yuan, day(number), lines=2)
        made.anchor()
        claim_of(made, person, invoice)
        made.run()
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Shared by the tests that only read it, which is all that a shadow run does."""
    return small_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def own_world(tmp_path: Path) -> World:
    return small_world(tmp_path)


def claim_of(world: World, person: Person, *invoice_ids: str) -> Claim:
    token = secrets.token_urlsafe(32)
    return submit(world.services, person.id, invoice_ids, token, has_consent=True).claims[0]


def run(
    world: World, pack: PolicyPack, first: dt.date = FIRST, last: dt.date = LAST
) -> tuple[ShadowTotals, list[ClaimComparison]]:
    found: list[ClaimComparison] = []
    return shadow_run(world.services, pack, first, last, found.append), found


def contents(world: World) -> str:
    """A digest of every row of every table."""
    digest = hashlib.sha256()
    with world.services.engine.connect() as connection:
        for name in sorted(sa.inspect(connection).get_table_names()):
            for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')):
                digest.update(repr((name, tuple(row))).encode())
    return digest.hexdigest()


def test_the_pack_in_force_differs_nowhere(world: World) -> None:
    totals, found = run(world, load_pack(POLICY_DIRECTORY / "quzhou-2026.json"))
    assert found == []
    assert not totals.has_differences
    # (500.00 - 300.00) x 60 % and 400.00 x 60 %
    assert (totals.claims[Finding.SAME], totals.old_paid_fen) == (2, 12_000 + 24_000)


def test_every_difference_is_told_by_bill_and_by_line_with_both_reasons(
    world: World, tmp_path: Path
) -> None:
    pack = variant(
        tmp_path, ratios={"qz-ratio-op-employee-2": {"bands": [{"over_fen": 0, "ratio_bp": 5_000}]}}
    )
    totals, found = run(world, pack)
    # (500.00 - 300.00) x 50 % = 100.00 and 400.00 x 50 % = 200.00
    assert [(c.finding, c.old_paid_fen, c.new_paid_fen) for c in found] == [
        (Finding.LOWER, 12_000, 10_000),
        (Finding.LOWER, 24_000, 20_000),
    ]
    assert (totals.lower_fen, totals.higher_fen) == (6_000, 0)
    assert (totals.old_paid_fen, totals.new_paid_fen) == (36_000, 30_000)
    line = found[1].lines[1]
    assert (line.index, line.old_paid_fen, line.new_paid_fen) == (1, 12_000, 10_000)
    assert [(r.code, r.amount_fen, "60%" in r.zh) for r in line.old] == [
        ("personal-ratio", 8_000, True)
    ]
    assert [(r.code, r.amount_fen, "50%" in r.en) for r in line.new] == [
        ("personal-ratio", 10_000, True)
    ]


def test_the_history_moves_along_with_the_new_pack(world: World, tmp_path: Path) -> None:
    pack = variant(tmp_path, deductibles={"qz-ded-op-employee": {"standard_fen": 60_000}})
    totals, found = run(world, pack)
    # 500.00 stays below 600.00; the second bears the last 100.00: (400.00 - 100.00) x 60 %
    assert [c.new_paid_fen for c in found] == [0, 18_000]
    assert totals.lower_fen == 12_000 + 6_000


def test_a_claim_outside_the_days_keeps_its_stored_place_in_the_history(
    world: World, tmp_path: Path
) -> None:
    pack = variant(tmp_path, deductibles={"qz-ded-op-employee": {"standard_fen": 60_000}})
    totals, found = run(world, pack, day(5))
    # Of the year's 600.00 the 500.00 in scope of the first bill count.
    assert [(c.service_on, c.new_paid_fen) for c in found] == [(day(10), 18_000)]
    assert sum(totals.claims.values()) == 1


def test_directions_are_added_up_apart(world: World, tmp_path: Path) -> None:
    pack = variant(
        tmp_path,
        deductibles={"qz-ded-op-employee": {"standard_fen": 0}},
        ratios={"qz-ratio-op-employee-2": {"bands": [{"over_fen": 0, "ratio_bp": 5_000}]}},
    )
    totals, _ = run(world, pack)
    # 250.00 instead of 120.00, 200.00 instead of 240.00
    assert (totals.higher_fen, totals.lower_fen) == (13_000, 4_000)
    assert (totals.claims[Finding.HIGHER], totals.claims[Finding.LOWER]) == (1, 1)


def test_the_same_amount_made_up_otherwise_is_a_difference(world: World, tmp_path: Path) -> None:
    pack = variant(
        tmp_path,
        caps={"qz-cap-op-employee": {"limit_fen": 36_000}},
        deductibles={"qz-ded-op-employee": {"standard_fen": 0}},
        ratios={
            "qz-ratio-op-employee-2": {
                "bands": [{"over_fen": 0, "ratio_bp": 2_400}]
            }
        },
    )  # fmt: skip
    _, found = run(world, pack)
    # 500.00 x 24 % = 120.00, as before, but without a deductible
    assert (found[0].finding, found[0].new_paid_fen) == (Finding.OTHER_REASONS, 12_000)


def test_a_case_without_rule_is_told_with_the_open_point(world: World, tmp_path: Path) -> None:
    keep = [rule for rule in QUZHOU["ratios"] if "-op-employee-" not in rule["rule_id"]]
    without = [rule for rule in QUZHOU["deductibles"] if "op-employee" not in rule["rule_id"]]
    without = [rule for rule in without if "op-retired" not in rule["rule_id"]]
    point = {
        "open_id": "op", "effect": "no-rule", "source": "open", "zh": "职工门诊没有写明",
        "en": "employees' outpatient care is not stated", "insurance_types": ["310"],
        "visit_kinds": ["outpatient", "outpatient-chronic"],
    }  # fmt: skip
    pack = variant(tmp_path, ratios=keep, deductibles=without, open=[point])
    totals, found = run(world, pack)
    assert [(c.finding, c.new_paid_fen) for c in found] == [(Finding.NO_RULE, None)] * 2
    assert found[0].reason[0] == "职工门诊没有写明，请转人工办理。"
    assert totals.has_differences
    assert (totals.old_paid_fen, totals.new_paid_fen) == (0, 0)


def test_a_day_before_the_pack_is_counted_and_left_alone(world: World, tmp_path: Path) -> None:
    totals, found = run(world, variant(tmp_path, effective_from="2026-11-05"))
    assert [c.finding for c in found] == [Finding.NOT_IN_FORCE]
    assert (totals.claims[Finding.SAME], totals.has_differences) == (1, False)


def test_what_a_person_refused_no_pack_changes(own_world: World, tmp_path: Path) -> None:
    person = own_world.people[0]
    invoice = own_world.bill(person, 100, day(12), payer_name="测试丁卯")
    own_world.anchor()
    claim = claim_of(own_world, person, invoice)
    own_world.run()
    refuse_pended(own_world.services, claim.number, "复核员", "冒名")
    own_world.run()
    totals, found = run(own_world, variant(tmp_path))
    assert [(c.claim_number, c.finding) for c in found] == [
        (claim.number, Finding.REFUSED_BY_PERSON)
    ]
    assert not totals.has_differences


@pytest.mark.slow
def test_a_bill_of_class_c_that_the_new_pack_trusts_counts_from_then_on(
    own_world: World, tmp_path: Path
) -> None:
    person = own_world.person("测试戊辰", "citizen02")
    for number, item in ((4, OUTSIDE), (11, None)):
        options: dict[str, Any] = {} if item is None else {"item": item}
        invoice = own_world.bill(person, 200, day(number), **options)
        own_world.anchor()
        claim_of(own_world, person, invoice)
        own_world.run()
    # The hospital printed class A on the mask; a pack that believes it pays and counts it.
    _, found = run(own_world, variant(tmp_path, catalogue={"mode": "bill-class"}))
    by_day = {c.service_on: c for c in found}
    # 200.00 stays below the 300.00; then 100.00 more are borne: (200.00 - 100.00) x 60 %
    assert by_day[day(11)].new_paid_fen == 6_000
    assert by_day[day(11)].old_paid_fen == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("person_snapshot = '{}'", "PERSON is wrong"),
        pytest.param(
            """explanation = replace(explanation, '"adjustments"', '"cuts"')""",
            "KeyError",
            marks=pytest.mark.slow,
        ),
        pytest.param("explanation = '['", "JSONDecodeError", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_decision_is_told_and_stops_nothing(
    own_world: World, tmp_path: Path, change: str, reason: str
) -> None:
    own_world.sql(f"UPDATE decision SET {change} WHERE paid_fen = 12000")
    totals, found = run(own_world, variant(tmp_path))
    assert [c.finding for c in found] == [Finding.UNREADABLE]
    assert reason in found[0].reason[1]
    assert totals.has_differences
    assert totals.claims[Finding.SAME] == 1


def test_nothing_is_written(world: World, tmp_path: Path) -> None:
    pack = variant(tmp_path, deductibles={"qz-ded-op-employee": {"standard_fen": 0}})
    before, calls = contents(world), list(world.ledger.calls)
    run(world, pack)
    assert (contents(world), world.ledger.calls) == (before, calls)


@pytest.mark.slow
def test_people_are_read_in_pages_and_each_once(
    own_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        person = own_world.person(f"测试{number}", f"more{number}")
        invoice = own_world.bill(person, 500, day(3))
        own_world.anchor()
        claim_of(own_world, person, invoice)
        own_world.run()
    pack = variant(tmp_path, deductibles={"qz-ded-op-employee": {"standard_fen": 0}})
    whole = run(own_world, pack)
    monkeypatch.setattr(shadow_module, "PAGE", 2)
    assert run(own_world, pack) == whole
    # Without the deductible 500.00 gives 300.00; the second bill of the first person is the same.
    assert sorted((c.new_paid_fen or 0) for c in whole[1]) == [30_000] * 4


@pytest.mark.parametrize(("standard_fen", "status"), [(30_000, 0), (0, 1)])
def test_the_command_prints_json_lines_and_its_status_says_whether_anything_differs(
    *,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    standard_fen: int,
    status: int,
) -> None:
    variant(tmp_path, deductibles={"qz-ded-op-employee": {"standard_fen": standard_fen}})
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: world.services)
    arguments = ["shadow", str(tmp_path / "trial.json"), "--from", "2026-01-01"]
    found = CliRunner().invoke(command, [*arguments, "--json"])
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.exit_code == status
    assert lines[0]["history"] == "stored-with-recomputed-entries"
    assert (lines[0]["from"], lines[0]["to"]) == ("2026-01-01", "2030-12-31")
    assert len(lines) == 2 + status
    assert lines[-1]["totals"]["higher_fen"] == 18_000 * status
    text = CliRunner().invoke(command, arguments)
    assert text.exit_code == status
    assert ("120.00 -> 300.00" in text.stdout) == bool(status)
    assert f"付得多 / new pays more: {180 * status}.00" in text.stdout


def test_days_in_the_wrong_order_are_wrong_usage(tmp_path: Path) -> None:
    variant(tmp_path)
    arguments = ["--from", "2026-02-01", "--to", "2026-01-01"]
    found = CliRunner().invoke(command, ["shadow", str(tmp_path / "trial.json"), *arguments])
    assert found.exit_code == 2
    assert "--to is before --from" in found.stderr
