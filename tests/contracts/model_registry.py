"""The registry in plain Python, written from the comments of its interface: dictionaries, integers.

Accounts are the role names of the test chain. A refusal raises `Reverted` with the custom error.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

QUARANTINES_MAX = 32


class Reverted(Exception):  # noqa: N818 - what the chain calls it
    """The call reverts with this custom error and these arguments."""

    def __init__(self, error: str, *arguments: object) -> None:
        super().__init__(error, *arguments)
        self.error = error
        self.arguments = arguments


@dataclass(frozen=True)
class Institution:
    code: bytes
    agreement_from: int
    agreement_until: int
    grace: int
    suspended: bool = False
    quarantines: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Account:
    kind: str  # "institution" or "payer"
    number: int
    active: bool = True


@dataclass
class ModelRegistry:
    """Who may call, and under which policies."""

    institutions: dict[int, Institution]
    basic_payers: set[int]
    other_payers: set[int]
    accounts: dict[str, Account]
    roles: dict[str, str]
    retirement_delay: int
    policies: set[bytes] = field(default_factory=set)
    suspended_payers: set[int] = field(default_factory=set)
    paused: bool = False
    unpaused_at: int = 0
    # The generation in force until `retires_at`, and the one from then on.
    generation: int = 1
    next_generation: int = 1
    retires_at: int = 0
    next_ledger: str = ""

    # ------------------------------------------------------------------------------- questions

    def number(self, sender: str, kind: str) -> int:
        """The institution or payer for which an account acts now, 0 when there is none."""
        found = self.accounts.get(sender)
        return found.number if found and found.active and found.kind == kind else 0

    def in_force(self, now: int) -> int:
        """The generation of the ledger that may change its state at this time."""
        return self.next_generation if now >= self.retires_at else self.generation

    def is_quarantined(self, institution: int, sequence: int) -> bool:
        found = self.institutions.get(institution)
        return found is not None and any(
            start <= sequence <= end for start, end in found.quarantines
        )

    def anchor_bar(self, institution: int, now: int) -> str:
        """The outcome of an anchor that the registry does not allow now, else nothing."""
        record = self.institutions[institution]
        if self.paused:
            return "PAUSED"
        if record.suspended:
            return "SUSPENDED"
        if now < record.agreement_from:
            return "BEFORE_AGREEMENT"
        if now > record.agreement_until + record.grace:
            return "AFTER_GRACE"
        return ""

    # ------------------------------------------------------------------------------- calls

    def call(self, name: str, arguments: tuple[object, ...], sender: str, now: int) -> None:
        """Carry out a call or raise `Reverted`, having changed nothing."""
        role = {"pause": "pauser", "unpause": "pauser", "publishPolicy": "publisher"}.get(name)
        role = "admin" if name == "retireLedger" else role or "registrar"
        if self.roles[role] != sender:
            raise Reverted("AccessControlUnauthorizedAccount", sender, role)
        getattr(self, "_" + name)(*arguments, now)

    def _suspendPayer(self, number: int, suspended: bool, now: int) -> None:
        if number not in self.basic_payers | self.other_payers:
            raise Reverted("RegistryPayerUnknown", number)
        (self.suspended_payers.add if suspended else self.suspended_payers.discard)(number)

    def _suspendInstitution(self, number: int, suspended: bool, now: int) -> None:
        self._change(number, suspended=suspended)

    def _changeInstitutionTerms(self, number: int, *terms: int) -> None:
        start, end, grace, custody, _now = terms
        self._require_institution(number)
        if end < start or custody == 0:
            raise Reverted("RegistryTermsInvalid")
        self._change(number, agreement_from=start, agreement_until=end, grace=grace)

    def _rotatePayerAccount(self, number: int, old: str, new: str, now: int) -> None:
        if number not in self.basic_payers | self.other_payers:
            raise Reverted("RegistryPayerUnknown", number)
        self._rotate("payer", number, old, new)

    def _rotateInstitutionAccount(self, number: int, old: str, new: str, now: int) -> None:
        self._require_institution(number)
        self._rotate("institution", number, old, new)

    def _publishPolicy(self, policy: bytes, effective_from: int, now: int) -> None:
        if policy == bytes(32) or policy in self.policies:
            raise Reverted("RegistryPolicyInvalid", policy)
        self.policies.add(policy)

    def _pause(self, now: int) -> None:
        if self.paused:
            raise Reverted("RegistryPauseUnchanged", True)
        self.paused = True

    def _unpause(self, now: int) -> None:
        if not self.paused:
            raise Reverted("RegistryPauseUnchanged", False)
        self.paused, self.unpaused_at = False, now

    def _quarantine(self, number: int, start: int, end: int, reason: bytes, now: int) -> None:
        ranges = self._require_institution(number).quarantines
        if start == 0 or end < start or (start, end) in ranges:
            raise Reverted("RegistryRangeInvalid", number, start, end)
        if len(ranges) == QUARANTINES_MAX:
            raise Reverted("RegistryFull")
        self._change(number, quarantines=(*ranges, (start, end)))

    def _lift(self, number: int, start: int, end: int, now: int) -> None:
        ranges = self._require_institution(number).quarantines
        if (start, end) not in ranges:
            raise Reverted("RegistryRangeInvalid", number, start, end)
        self._change(number, quarantines=tuple(r for r in ranges if r != (start, end)))

    def _retireLedger(self, successor: str, now: int) -> None:
        """`successor` is the name of a deployed ledger: "second" succeeds the first."""
        if now < self.retires_at:
            raise Reverted("RegistryRetirementPending", self.next_ledger, self.retires_at)
        generation = self.in_force(now)
        if {"second": 2, "third": 3}.get(successor) != generation + 1:
            raise Reverted("RegistrySuccessorInvalid", successor)
        self.generation, self.next_generation = generation, generation + 1
        self.retires_at, self.next_ledger = now + self.retirement_delay, successor

    # ------------------------------------------------------------------------------- parts

    def _require_institution(self, number: int) -> Institution:
        if number not in self.institutions:
            raise Reverted("RegistryInstitutionUnknown", number)
        return self.institutions[number]

    def _change(self, number: int, **changes: object) -> None:
        self.institutions[number] = replace(self._require_institution(number), **changes)

    def _rotate(self, kind: str, number: int, old: str, new: str) -> None:
        if not old and not new:
            raise Reverted("RegistryNoAccount")
        if old and self.accounts.get(old) != Account(kind, number):
            raise Reverted("RegistryAccountUnknown", old)
        if new and new in self.accounts:
            raise Reverted("RegistryAccountTaken", new)
        if old:
            self.accounts[old] = Account(kind, number, active=False)
        if new:
            self.accounts[new] = Account(kind, number)
