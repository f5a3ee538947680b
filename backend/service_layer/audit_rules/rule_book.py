"""The rules in force: those shipped with the program, as this installation switched them."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.domain.audit.rule import Rule, RuleSet, RuleState
from backend.domain.audit.rule_reader import parse_rules
from backend.service_layer.audit_rules.records import SHIPPED, RuleVersion
from verifier.commitment.canonical import canonical_bytes, parse_canonical

_REMEMBERED_MAX: Final = 32
_Key = tuple[tuple[str, str, str | None], ...]
"""Code, state and parameters (None: as shipped) of every rule."""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules as they apply to one day of service, with the text that their digest is of."""

    rules: RuleSet
    document: str

    @property
    def digest(self) -> bytes:
        return self.rules.digest


class RuleBook:
    """The shipped rules, and any set that follows from them by the switches of people.

    Raises :class:`MalformedDataError` with every fault when the shipped set is wrong.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.shipped = parse_rules(document)
        self._document = copy.deepcopy(dict(document))
        self._remembered: dict[_Key, RulesInForce] = {}

    def entry(self, code: str) -> dict[str, Any]:
        """The shipped JSON of a rule. Raises :class:`RuleError` for an unknown code."""
        self.shipped.rule(code)
        return next(copy.deepcopy(rule) for rule in self._document["rules"] if rule["code"] == code)

    def first_versions(self, known: set[str], at: dt.datetime) -> list[RuleVersion]:
        """Version 1 of every rule that this installation has not seen.

        A new installation starts with the states as shipped. A rule that a later program brings
        along starts on trial where it would have an effect: nobody here has switched it yet.
        """
        return [
            RuleVersion(
                rule_code=rule.code,
                version=1,
                state=str(rule.state if not known else _harmless(rule.state)),
                parameters=None,
                valid_from=None,
                origin=SHIPPED,
                proposal_id=None,
                recorded_at=at,
            )
            for rule in self.shipped.rules
            if rule.code not in known
        ]

    def in_force(self, versions: Sequence[RuleVersion], service_on: dt.date) -> RulesInForce:
        """The rules for services of that day: the newest state of each, and of its parameters
        those that hold on the day. Raises :class:`MalformedDataError` when stored parameters do
        not fit the program."""
        by_code: dict[str, list[RuleVersion]] = {}
        for version in versions:
            by_code.setdefault(version.rule_code, []).append(version)
        key = tuple(
            (rule.code, *_standing(rule, by_code.get(rule.code, []), service_on))
            for rule in self.shipped.rules
        )
        found = self._remembered.get(key)
        if found is None:
            found = self._build(key)
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _build(self, key: _Key) -> RulesInForce:
        changed = copy.deepcopy(self._document)
        standing = {code: (state, parameters) for code, state, parameters in key}
        for rule in changed["rules"]:
            rule["state"], parameters = standing[rule["code"]]
            if parameters is not None:
                rule["parameters"] = parse_canonical(parameters.encode())
        return RulesInForce(parse_rules(changed), canonical_bytes(changed).decode())

    def with_parameters(self, code: str, parameters: Mapping[str, Any] | None) -> RuleSet:
        """The set that would hold with these parameters of one rule (None: the shipped ones).

        Raises :class:`MalformedDataError` with every fault of the parameters.
        """
        self.shipped.rule(code)
        changed = copy.deepcopy(self._document)
        if parameters is not None:
            for rule in changed["rules"]:
                if rule["code"] == code:
                    rule["parameters"] = dict(parameters)
        return parse_rules(changed)

    def rule_digest(self, code: str, parameters: Mapping[str, Any] | None) -> bytes:
        """SHA-256 over the rule with these parameters, its state left out: what a trial run was
        of, and what a confirmation must find a run of."""
        entry = self.entry(code)
        if parameters is not None:
            entry["parameters"] = dict(parameters)
        entry.pop("state")
        return hashlib.sha256(canonical_bytes(entry)).digest()


def _standing(
    rule: Rule, versions: Sequence[RuleVersion], service_on: dt.date
) -> tuple[str, str | None]:
    """State and parameters; a rule not stored yet (it is, before it is used) has no effect."""
    if not versions:
        return str(_harmless(rule.state)), None
    return versions[-1].state, parameters_on(versions, service_on)


def parameters_on(versions: Sequence[RuleVersion], service_on: dt.date) -> str | None:
    """The parameters that hold for services of the day, None for the shipped ones: the newest
    version among those that begin latest before it."""
    dated = [
        (version.valid_from, version.version, version.parameters)
        for version in versions
        if version.parameters is not None
        and version.valid_from is not None
        and version.valid_from <= service_on
    ]
    return max(dated)[2] if dated else None


def _harmless(state: RuleState) -> RuleState:
    return RuleState.TRIAL if state is RuleState.LIVE else state
