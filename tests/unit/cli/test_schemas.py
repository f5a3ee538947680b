"""The published schemas and the parsers say the same of a file, apart from what no schema can."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from backend.adapters.catalogue import POLICY_DIRECTORY, load_catalogue
from backend.adapters.policy_packs import pack_paths
from backend.domain.adjudication import adjudicate
from backend.domain.errors import DomainError
from backend.domain.invoice import AttachmentType, ExpenseLine, Invoice
from backend.domain.person import DatedStatus, History, parse_history, parse_person
from backend.domain.policy_reader import parse_policy_pack
from backend.domain.record_reader import MalformedDataError
from backend.domain.ruling import parse_rulings
from backend.entrypoints.cli.policy import _visit
from tests.unit.domain import benefit_cases as case
from verifier.commitment.canonical import canonical_bytes
from verifier.errors import VerificationError

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "schemas"
NAMES: Final = ("pack", "invoice", "person", "history", "rulings", "output")
CATALOGUE: Final = load_catalogue()

# What the parsers see and a schema cannot: how members of one file relate to each other.
ACROSS_MEMBERS: Final = (
    "is used twice", "names no source of this pack", "rules for", "do not both have",
    "is not the catalogue's digest", "has no bands, or they do not rise", "lacks local, or repeats",
    "leaves out some persons", "names a remote status", "says no-rule of",
    "is before effective_from", "is before the first day", "is no type of this insurance",
    "more than the in-scope cost",
)  # fmt: skip


def schema(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.sample.json").read_text(encoding="utf-8"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_invoice_schema_names_every_field_of_the_record() -> None:
    properties = schema("invoice")["properties"]
    assert set(properties) == {"format", *(field.name for field in fields(Invoice))}
    line = set(properties["lines"]["items"]["properties"])
    scaled = {"quantity_e4": "quantity", "price_e6": "price", "amount_e4": "amount"}
    assert line == {scaled.get(field.name, field.name) for field in fields(ExpenseLine)}
    kinds = properties["attachments"]["items"]["properties"]["type"]["enum"]
    assert kinds == [str(kind) for kind in AttachmentType]


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_one_of_draft_2020_12_and_its_sample_conforms(name: str) -> None:
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema(name))
    validator(name).validate(sample(name))


def test_every_shipped_pack_conforms() -> None:
    for path in pack_paths():
        validator("pack").validate(json.loads(path.read_text(encoding="utf-8")))


def everything_of_a_pack() -> dict[str, Any]:
    """A small valid pack that uses every member of the format."""
    open_point = {
        "open_id": "o", "effect": "person", "source": "s", "zh": "没有写明", "en": "not stated",
        "ranks": ["county"], "remote_statuses": ["local"], "year_in_scope_over_fen": 100,
        "figures": ["1", "2"],
    }  # fmt: skip
    aid = {"source": "s", "base": "year", "bands": [{"over_fen": 0, "ratio_bp": 7_000}]}
    selector = {
        "insurance_types": ["310"], "visit_kinds": ["inpatient"], "person_types": ["1101"],
        "hospital_levels": [3], "hardship": ["none"],
    }  # fmt: skip
    waiver = {"rule_id": "w", "source": "s", "diagnosis_prefixes": ["F"], "from_stay": 2}
    rest = {"visit_kinds": ["outpatient", "outpatient-chronic"]}
    return case.pack_json(
        clocks={
            "promise_working_days": 5, "legal_working_days": 30,
            "claim_deadline": {"rule_id": "cd", "source": "s", "next_year_until": "03-31"},
        },
        catalogue={
            "mode": "catalogue", "file": "catalogue-sample.json", "sha256": CATALOGUE.digest.hex(),
        },
        class_b={
            "rule_id": "b", "source": "s", "note": "n", "base": "unit-price",
            "bands": [{"over_fen": 0, "selfpay_bp": 1_000}, {"over_fen": 1, "selfpay_bp": 2_000}],
        },
        deductibles=[
            case.deductible(
                5, merging="both", year_ceiling_fen=9, later_standard_fen=3, waivers=[waiver],
                note="n", insurance_types=["310"], visit_kinds=["inpatient"],
            ),
            case.deductible(
                5, "once-per-year-topped-up", rule_id="d2", stops_above_standard=1, **rest
            ),
        ],
        ratios=[
            case.ratio((0, 5_000), retired_share_bp=6_000, base="year", insurance_types=["310"],
                       visit_kinds=["inpatient"])
            | {"bands": [{"over_fen": 0, "ratio_bp": 5_000, "retired_ratio_bp": 6_000}]},
            case.ratio((0, 5_000), rule_id="r2", retired_bonus_bp=500, **rest),
        ],
        caps=[case.cap(7, **selector)],
        layer2=[case.layer2(1, (0, 1), insurance_types=["390"])],
        layer3=[{"rule_id": "l3", "hardship": ["low-income"], "cap_fen": 5} | aid],
        supplement=[{"rule_id": "su", "ranks": ["section"]} | aid],
        open=[open_point],
    )  # fmt: skip


def everything_of_an_invoice() -> dict[str, Any]:
    value: dict[str, Any] = sample("invoice")
    value["lines"] = value["lines"][:1]
    value["items"] = [{"code": "06", "name": "手术费", "amount_fen": 215_000}]
    value["attachments"] = [{"type": "diagnosis", "digest": "ab" * 32}]
    return value | {"self_payment_fen": 1, "diagnosis_code": "K35.8", "visit_on": "2026-03-02"}


def everything_of_a_person() -> dict[str, Any]:
    days = {"from": "2026-01-01", "to": "2026-12-31"}
    filing = {"status": "referred-filed", "area_prefix": "3301", "filed_on": "2026-02-01"}
    return {
        **sample("person"),
        "hardship": [{"code": "low-income"} | days],
        "civil_servant": [{"code": "county"} | days],
        "chronic": [{"code": "M00500"} | days],
        "filings": [filing | days],
        "source": "simulated",
    }


def everything_of_a_history() -> dict[str, Any]:
    value: dict[str, Any] = sample("history")
    value["entries"][0] |= {
        "admitted_on": "2026-01-10", "discharged_on": "2026-01-20", "stay_number": "ZY1",
        "deductible_base_fen": 1, "layer3_paid_fen": 2, "supplement_paid_fen": 3, "waiver_id": "w",
    }  # fmt: skip
    return value


def everything_of_rulings() -> list[dict[str, Any]]:
    basis = {"rule_id": "r", "basis_zh": "依据", "basis_en": "basis"}
    return [
        {"line_index": 0, "kind": "match", "catalogue_code": "A"} | basis,
        {"line_index": 0, "kind": "confirm"} | basis,
        {"line_index": 1, "kind": "exclude"} | basis,
        {"line_index": 2, "kind": "limit", "limit_fen": 5} | basis,
    ]


def _parse_person(value: Any) -> object:
    if isinstance(value, dict):
        _visit(value.get("visit", {}))
        value = {name: member for name, member in value.items() if name != "visit"}
    return parse_person(value)


def _parse_invoice(value: Any) -> object:
    return Invoice.from_record(value)


_SUBJECTS: Final[dict[str, tuple[Callable[[], Any], Callable[[Any], object]]]] = {
    "pack": (everything_of_a_pack, lambda value: parse_policy_pack(value, CATALOGUE)),
    "invoice": (everything_of_an_invoice, _parse_invoice),
    "person": (everything_of_a_person, _parse_person),
    "history": (everything_of_a_history, parse_history),
    "rulings": (everything_of_rulings, parse_rulings),
}


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """Copies of the value with one thing changed in each, and where."""
    for path, parent, key in list(_places(value, "", None, None)):
        here = value if parent is None else parent[key]
        if isinstance(here, dict):
            yield f"{path} surprise", _with(value, parent, key, here | {"surprise": "x"})
            for name in list(here):
                yield f"{path}/{name} gone", _with(value, here, name, _GONE)
        if parent is None:
            continue
        for other in _others(here):
            yield f"{path} = {str(other)[:30]!r}", _with(value, parent, key, other)


_GONE: Final = object()


def _others(here: Any) -> list[Any]:
    if isinstance(here, str):
        return [5, "", "x" * 2_001, "2026-02-30", "none", [], {}]
    if isinstance(here, int):
        return [-1, 0, 1, 2**41, "5", [], 9_999_999]
    if isinstance(here, list):
        return [[], {}, "x", [*here, 7], [*here, "?"], [*here, *here]]
    return [[], "x", 5]


def _places(here: Any, path: str, parent: Any, key: Any) -> Iterator[tuple[str, Any, Any]]:
    yield path, parent, key
    pairs: Any = ()
    if isinstance(here, dict):
        pairs = here.items()
    elif isinstance(here, list):
        pairs = enumerate(here)
    for name, member in pairs:
        yield from _places(member, f"{path}/{name}", here, name)


def _with(value: Any, parent: Any, key: Any, other: Any) -> Any:
    """A deep copy of ``value`` in which the member ``key`` of ``parent`` is ``other``."""
    if parent is None:
        return other
    before = parent[key]
    if other is _GONE:
        del parent[key]
    else:
        parent[key] = other
    try:
        return copy.deepcopy(value)
    finally:
        parent[key] = before


def parsed(parse: Callable[[Any], object], value: Any) -> str:
    """Empty when the parser takes it; what it says otherwise, or ``across`` when all that it says
    is about how members relate."""
    try:
        canonical_bytes(value)
        parse(value)
    except VerificationError as error:
        return str(error)
    except MalformedDataError as error:
        across = all(any(text in en for text in ACROSS_MEMBERS) for _, _, en in error.faults)
        return "across" if across else str(error)
    except DomainError as error:
        return error.en
    return ""


@pytest.mark.parametrize(
    ("name", "every"),
    [
        *((name, 1) for name in sorted(_SUBJECTS) if name != "pack"),
        ("pack", 13),
        pytest.param("pack", 1, marks=pytest.mark.slow),
    ],
)
def test_parser_and_schema_refuse_the_same_files(name: str, every: int) -> None:
    """Of the many mutations of a pack the quick run takes every thirteenth."""
    make, parse = _SUBJECTS[name]
    check = validator(name)
    assert parsed(parse, make()) == ""
    check.validate(make())
    refused = accepted = 0
    disagreements = []
    for what, value in itertools.islice(mutations(make()), 0, None, every):
        said, is_valid = parsed(parse, value), check.is_valid(value)
        if said == "across":
            continue
        if is_valid != (said == ""):
            disagreements.append((what, is_valid, said))
        refused += not is_valid
        accepted += is_valid
    assert disagreements == []
    assert refused > 40
    assert accepted > 5


def _outputs() -> Iterator[dict[str, Any]]:
    poor = (DatedStatus("low-income", case.LONG_AGO, case.FAR),)
    county = (DatedStatus("county", case.LONG_AGO, case.FAR),)
    bands = [{"over_fen": 0, "ratio_bp": 7_000}]
    whole = case.pack(
        case.catalogue(),
        deductibles=[case.deductible(10_000)],
        ratios=[case.ratio((0, 6_000), (50_000, 7_050))],
        caps=[case.cap(200_000)],
        remote={
            "model": "paid-first",
            "statuses": [case.remote("local", 0), case.remote("x", 1000)],
        },
        layer2=[case.layer2(30_000, (1_000, 6_000))],
        layer3=[{"rule_id": "l3", "source": "s", "base": "year", "bands": bands,
                 "hardship": ["low-income"]}],
        supplement=[{"rule_id": "su", "source": "s", "base": "visit", "bands": bands,
                     "ranks": ["county"]}],
        open=[{"open_id": "o", "effect": "person", "source": "s", "zh": "未写明", "en": "open"}],
    )  # fmt: skip
    lines = (
        case.line(0, 300_000), case.line(1, 50_000, code="FIX-LIMIT"),
        case.line(2, 700, code="FIX-03"), case.line(3, 900, code="FIX-RESTRICTED"),
        case.line(4, 1_000, code="FIX-NEG"), case.line(5, 10, code="NO-SUCH"),
        case.line(6, 20_000, code="FIX-02"),
    )  # fmt: skip
    person = case.person("310", hardship=poor, civil_servant=county)
    rulings = parse_rulings(
        [{"line_index": 6, "kind": "exclude", "rule_id": "r", "basis_zh": "据", "basis_en": "b"}]
    )
    stay = case.stay(*lines, remote_status="x", stay_number="ZY1", admitted_on=case.DAY,
                     discharged_on=case.DAY)  # fmt: skip
    yield adjudicate(whole, stay, person, History(), rulings).to_estimate()
    yield adjudicate(whole, case.bill(*lines), case.person("390"), History()).to_estimate()
    yield adjudicate(whole, case.bill(lines[2]), case.person(), History()).to_estimate()
    entry = case.entry(in_scope_fen=900_000, pool_paid_fen=199_000, layer2_base_fen=500)
    yield adjudicate(whole, case.bill(*lines), person, History((entry,))).to_estimate()
    yield adjudicate(whole, case.bill(lines[0], borne_fen=299_000), person, History()).to_estimate()


def test_every_real_output_conforms() -> None:
    check = validator("output")
    found = list(_outputs())
    for output in found:
        check.validate(output)
    # The first one uses every member that an output may have.
    optional = {"admitted_on", "discharged_on", "stay_number", "rulings"}
    assert optional <= set(found[0])
    assert any(line.get("layer3_fen") for line in found[0]["lines"])
    assert any(line.get("supplement_fen") for line in found[0]["lines"])
    assert {pend["code"] for pend in found[0]["pend_reasons"]} == {
        "policy-open", "restricted-unconfirmed", "unknown-code",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "other"),
    [
        (("paid_fen",), -1), (("format",), "yichu-eob-1"), (("pool_prop_selfpay",), "84%"),
        (("lines", 0, "adjustments", 0, "group"), "NOBODY"), (("outcome",), "maybe"),
        (("lines", 0, "adjustments", 0, "basis_zh"), ""), (("service_on",), "2026-02-30"),
        (("policy_hash",), "AB" * 32), (("summary",), []), (("hospital_level",), 4),
    ],
)  # fmt: skip
def test_a_changed_output_does_not_conform(path: tuple[Any, ...], other: Any) -> None:
    value = sample("output")
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = other
    assert not validator("output").is_valid(value)


def test_the_pack_sample_lies_where_the_pack_lies() -> None:
    shipped = (POLICY_DIRECTORY / "quzhou-2026.json").read_text(encoding="utf-8")
    assert sample("pack") == json.loads(shipped)
