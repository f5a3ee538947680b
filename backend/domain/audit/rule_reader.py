"""From the JSON of a rule set to :class:`RuleSet`, or every fault with its JSON path.

A set is refused as a whole when anything in it is wrong: a misspelt parameter must not turn a rule
into one that never hits.
"""

from __future__ import annotations

import hashlib
import re
import string
from types import MappingProxyType
from typing import Any, Final

from backend.domain.audit.check import CheckSpec
from backend.domain.audit.checks import CHECKS
from backend.domain.audit.facts import ClaimKind, ClaimOrigin
from backend.domain.audit.parameters import read_parameters
from backend.domain.audit.rule import (
    PRIORITY_MAX,
    RULES_FORMAT,
    SEVERITY_MAX,
    Level,
    Nature,
    Rule,
    RuleClass,
    RuleSet,
    RuleState,
    Scope,
)
from backend.domain.audit.text import Text
from backend.domain.invoice import VisitKind
from backend.domain.pend_reasons import REVIEWER, SUPERVISOR
from backend.domain.record_reader import Faults, Reader
from verifier.commitment.canonical import canonical_bytes
from verifier.errors import VerificationError

RULES_MAX: Final = 2_000
ROLES: Final = (REVIEWER, SUPERVISOR)
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_QUEUE: Final = _CODE
_VISIT_KINDS: Final = (str(VisitKind.OUTPATIENT), str(VisitKind.INPATIENT))
"""What a bill says of itself; a rule in the scope of anything else would never hit."""
_TITLE_MAX: Final = 60
_TEXT_MAX: Final = 300


def parse_rules(value: object) -> RuleSet:
    """A rule file. Raises :class:`MalformedDataError` with all its faults."""
    faults = Faults("AUDIT RULES")
    reader = Reader(value, "", faults)
    try:
        digest = hashlib.sha256(canonical_bytes(value)).digest()  # type: ignore[arg-type]
    except VerificationError as error:
        faults.add("", "含有小数、空值或布尔值", str(error))
        digest = bytes(32)
    reader.text("format", choices=(RULES_FORMAT,))
    set_id = reader.text("set_id", length_max=64)
    reader.text("note_zh", "", length_max=2_000)
    reader.text("note_en", "", length_max=2_000)
    seen: set[str] = set()
    rules = tuple(_rule(entry, seen) for entry in reader.children("rules", size_max=RULES_MAX))
    if reader.has("rules") and not rules:
        reader.fault("rules", "没有规则", "holds no rule")
    reader.finish()
    faults.raise_if_any()
    return RuleSet(set_id, rules, digest)


def _rule(entry: Reader, seen: set[str]) -> Rule:
    spec = CHECKS.get(entry.text("check", choices=tuple(sorted(CHECKS))))
    rule = Rule(
        code=_code(entry, seen),
        rule_class=_choice(entry, "class", RuleClass),
        nature=_choice(entry, "nature", Nature),
        level=_level(entry, spec),
        severity=entry.integer("severity", low=1, high=SEVERITY_MAX),
        priority=entry.integer("priority", low=1, high=PRIORITY_MAX),
        queue=_queue(entry),
        role=entry.text("role", choices=ROLES),
        state=_choice(entry, "state", RuleState),
        valid_from=entry.day("valid_from"),
        valid_to=entry.day("valid_to"),
        check=spec.name if spec else "",
        parameters=_parameters(entry, spec),
        title=_text(entry, "title", frozenset(), _TITLE_MAX),
        text=_text(entry, "text", spec.values if spec else None, _TEXT_MAX),
        basis=_text(entry, "basis", frozenset(), _TEXT_MAX),
        source=_named(entry, "source"),
        owner=_named(entry, "owner"),
        scope=_scope(entry),
        is_reattached=entry.integer("reattach", 0, high=1) == 1,
    )
    if rule.valid_to < rule.valid_from:
        entry.fault("valid_to", "早于 valid_from", "is before valid_from")
    entry.finish()
    return rule


def _is_given(reader: Reader, name: str, found: str) -> bool:
    """Whether the file says just this: what stands in for a text that was refused is no fault of
    its own."""
    return bool(reader.value.get(name) == found)


def _code(entry: Reader, seen: set[str]) -> str:
    code = entry.text("code", length_max=40)
    if _is_given(entry, "code", code) and not _CODE.fullmatch(code):
        entry.fault("code", "应为小写字母、数字和连字符", "is not lower-case words with hyphens")
    if code in seen:
        entry.fault("code", "重复", "is given twice")
    seen.add(code)
    return code


def _queue(entry: Reader) -> str:
    queue = entry.text("queue", length_max=32)
    if _is_given(entry, "queue", queue) and not _QUEUE.fullmatch(queue):
        entry.fault("queue", "应为小写字母、数字和连字符", "is not lower-case words with hyphens")
    return queue


def _choice(entry: Reader, name: str, kind: type[Any]) -> Any:
    choices = tuple(str(one) for one in kind)
    found = entry.text(name, choices=choices)
    return kind(found if found in choices else choices[0])


def _level(entry: Reader, spec: CheckSpec | None) -> Level:
    level: Level = _choice(entry, "level", Level)
    if spec is not None and entry.has("level") and level is not spec.level:
        entry.fault(
            "level", f"检查 {spec.name} 的级别是 {spec.level}", f"the check is about a {spec.level}"
        )
    return level


def _named(entry: Reader, name: str) -> str:
    text = entry.text(name, length_max=_TEXT_MAX)
    if _is_given(entry, name, text) and not text.strip():
        entry.fault(name, "是空的", "is empty")
    return text


def _parameters(entry: Reader, spec: CheckSpec | None) -> MappingProxyType[str, Any]:
    reader = entry.child("parameters")
    if spec is None:  # the unknown check is the fault; its parameters have no meaning
        return MappingProxyType({})
    return read_parameters(reader, spec.params)


def _scope(entry: Reader) -> Scope:
    if not entry.has("scope"):
        return Scope()
    reader = entry.child("scope")
    scope = Scope(
        origins=reader.texts("origins", tuple(str(one) for one in ClaimOrigin)),
        claim_kinds=reader.texts("claim_kinds", tuple(str(one) for one in ClaimKind)),
        visit_kinds=reader.texts("visit_kinds", _VISIT_KINDS),
    )
    reader.finish()
    return scope


def _text(entry: Reader, name: str, values: frozenset[str] | None, length_max: int) -> Text:
    """A text in both languages whose placeholders are in ``values`` (None: not checked)."""
    reader = entry.child(name)
    text = Text(reader.text("zh", length_max=length_max), reader.text("en", length_max=length_max))
    for language, words in (("zh", text.zh), ("en", text.en)):
        if _is_given(reader, language, words) and not words.strip():
            reader.fault(language, "是空的", "is empty")
        for fault in _placeholder_faults(words, values):
            reader.fault(language, f"占位符有误：{fault}", f"has a wrong placeholder: {fault}")
    reader.finish()
    return text


def _placeholder_faults(words: str, values: frozenset[str] | None) -> list[str]:
    try:
        parts = list(string.Formatter().parse(words))
    except ValueError as error:
        return [str(error)]
    faults = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or (values is not None and name not in values):
            faults.append("{" + name + "}")
    return faults
