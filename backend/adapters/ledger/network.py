"""Setting up the network's roles: institutions, payers, policies. Every step can be repeated.

What is already on the ledger is left as it is; the registrar and the policy publisher sign with
their own keystores. Nonces and signed bytes go through the same table as the worker's, so that
the two never take one nonce.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from backend.adapters.ledger.codec import encode_call
from backend.domain.errors import ConflictError, DomainError
from backend.domain.local_time import SHANGHAI
from backend.service_layer.anchoring.dependencies import Anchoring
from backend.service_layer.anchoring.model import Call, LeaseHeldError, Purpose
from backend.service_layer.anchoring.reconcile import advance_finality, settle_nonces
from backend.service_layer.anchoring.send import commit_signed, forward, take_lease
from backend.service_layer.ports import LedgerUnavailableError

if TYPE_CHECKING:
    from backend.bootstrap import Services

#: Agreement dates are days in China (UTC+8 without daylight saving time).
_GAS: Final = 400_000
_WAIT_SECONDS: Final = 60
_CUSTODY: Final = {"self": 1, "custodial": 2}
#: IRegistry.AccountKind.
_INSTITUTION: Final = 1
_NOBODY: Final = "0x" + "00" * 20
_CLASSES: Final = {"basic": 1, "commercial": 2, "other": 3}
#: The registry's role of each keystore that signs for one.
_ROLES: Final = {
    "registrar": "REGISTRAR_ROLE",
    "policy-publisher": "POLICY_PUBLISHER_ROLE",
    "pauser": "PAUSER_ROLE",
}


class RegistrationError(DomainError):
    """A registration that the ledger would refuse or that names impossible values."""

    code = "registration"


class RoleMissingError(DomainError):
    """The account of a set-up command's keystore may not do this on the ledger."""

    code = "role-missing"


@dataclass(frozen=True, slots=True)
class Registered:
    """A number on the ledger and the account that acts for it."""

    number: int
    account: str


def anchoring_of(services: Services, owner: str) -> Anchoring:
    """The anchoring service's dependencies for one process."""
    return Anchoring(
        work=services.work,
        node=services.ledger,
        signer=services.keystores,
        clock=services.clock,
        ids=services.ids,
        owner=owner,
        fee_wei_max=services.settings.max_fee_gwei * 10**9,
    )


class Network:
    """The registrar's and the policy publisher's calls."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ledger = services.ledger
        self._keystores = services.keystores
        self._deps = anchoring_of(services, f"admin:{os.getpid()}:{services.ids.new_id('own')}")

    def register_institution(
        self,
        code: str,
        *,
        agreement_from: dt.date,
        agreement_until: dt.date,
        grace_days: int,
        custody: str,
        account: str | None = None,
    ) -> Registered:
        """Register an institution under its code; returns what is on the ledger then.

        ``custody`` is ``self`` (``account`` is the institution's own) or ``custodial`` (a keystore
        is made here). A code that is registered already is left alone, with its account checked.
        """
        if custody not in _CUSTODY:
            raise RegistrationError("托管方式应为 self 或 custodial", "custody: self or custodial")
        if custody == "custodial":
            account = self.custodial_accounts(code)[-1]
        if account is None:
            raise RegistrationError("缺少机构的账本账户", "the institution's account is missing")
        account = to_checksum_address(account)
        word = code.encode("ascii").ljust(16, b"\x00")
        number = self._ledger.read("Registry", "institutionNumber", word)[0]
        if number == 0:
            self._require_own_key(account)
            self._send(
                "registrar",
                "registerInstitution",
                word,
                _second(agreement_from),
                _second(agreement_until + dt.timedelta(days=1)) - 1,
                grace_days * 86_400,
                _CUSTODY[custody],
                account,
            )
            number = self._ledger.read("Registry", "institutionNumber", word)[0]
        if self._ledger.read("Registry", "institutionOf", account)[0] != number or number == 0:
            raise ConflictError(
                f"机构 {code} 在账本上登记的是另一个账户",
                f"institution {code} is registered on the ledger with another account",
            )
        return Registered(number, account)

    def custodial_accounts(self, code: str) -> list[str]:
        """The accounts whose keystores we hold for an institution, oldest first, at least one.

        The first keystore is ``institution-<code>``, the next ``institution-<code>-2`` and so on.
        """
        first = f"institution-{code}"
        found = [self._keystore(first)]
        while self._keystores.has(f"{first}-{len(found) + 1}"):
            found.append(self._keystores.account_of(f"{first}-{len(found) + 1}"))
        return found

    def fresh_custodial_account(self, code: str) -> str:
        """An account of a custodial institution that the ledger has not seen; its keystore is
        made when there is none."""
        known = self.custodial_accounts(code)
        if self._account(known[-1])[0] == 0:
            return known[-1]
        return self._keystore(f"institution-{code}-{len(known) + 1}")

    def acts_for(self, code: str, account: str) -> bool:
        """Whether the account acts for the institution now."""
        _, number, is_active = self._account(account)
        return bool(is_active and number == self._number(code))

    def was_ever(self, code: str, account: str) -> bool:
        """Whether the account acts or once acted for the institution."""
        kind, number, _ = self._account(account)
        return kind == _INSTITUTION and number == self._number(code)

    def change_account(self, code: str, former: str | None, account: str | None) -> bool:
        """Remove ``former`` and add ``account`` under the institution's number, in one call.

        What is so already is left alone; False when nothing was to do. Raises RegistrationError
        for an account that acts or acted before: one is never given out twice.
        """
        number = self._number(code)
        gone = former if former and self.acts_for(code, former) else _NOBODY
        new = to_checksum_address(account) if account else _NOBODY
        if account and self.acts_for(code, new):
            new = _NOBODY
        elif account and self._account(new)[0] != 0:
            raise RegistrationError(
                f"账户 {new} 已用过，不能再登记，请换一个新账户",
                f"account {new} acts or acted on this ledger; make a new one",
            )
        if gone == new == _NOBODY:
            return False
        if new != _NOBODY:
            self._require_own_key(new)
        self._send("registrar", "rotateInstitutionAccount", number, gone, new)
        return True

    def _number(self, code: str) -> int:
        word = code.encode("ascii").ljust(16, b"\x00")
        number = int(self._ledger.read("Registry", "institutionNumber", word)[0])
        if number == 0:
            raise RegistrationError(
                f"机构 {code} 尚未在账本登记，请先运行 yichu hospital register",
                f"institution {code} is not on the ledger: run yichu hospital register first",
            )
        return number

    def _account(self, account: str) -> tuple[int, int, bool]:
        """(kind, number, whether it acts now) of an account; zeros when it was never registered."""
        found = self._ledger.read("Registry", "accountOf", to_checksum_address(account))[0]
        return found[0], found[1], found[2]

    def register_payer(
        self, payer_class: str, *, number: int | None = None, account: str | None = None
    ) -> Registered:
        """Register the next payer; without an account the keystore ``payer-<number>`` is made.

        With its ``number`` named, an interrupted registration is completed, not doubled.
        """
        if payer_class not in _CLASSES:
            raise RegistrationError(
                "支付方类别应为 basic、commercial 或 other", "class: basic, commercial or other"
            )
        if account is None:
            place = number or self._ledger.read("Registry", "counts")[1] + 1
            account = self._keystore(f"payer-{place}")
        account = to_checksum_address(account)
        given = self._ledger.read("Registry", "payerOf", account)[0]
        if given == 0:
            following = self._ledger.read("Registry", "counts")[1] + 1
            if number not in (None, following):
                raise RegistrationError(
                    f"账本上的下一个支付方编号是 {following}",
                    f"the next payer on the ledger is number {following}",
                )
            self._require_own_key(account)
            self._send("registrar", "registerPayer", _CLASSES[payer_class], account)
            given = self._ledger.read("Registry", "payerOf", account)[0]
        if number not in (None, given):
            raise ConflictError(
                f"该账户是 {given} 号支付方", f"this account acts for payer {given}"
            )
        return Registered(given, account)

    def add_payer_account(self, number: int, known: Sequence[str]) -> str:
        """Register a further account of a payer; its keystore is ``payer-<number>-2``, ``-3``, ...

        ``known`` are the payer's accounts in the database: an interrupted registration of another
        one is completed. Raises RegistrationError for a payer that is not registered.
        """
        if not 1 <= number <= self._ledger.read("Registry", "counts")[1]:
            raise RegistrationError(
                f"账本上没有 {number} 号支付方", f"there is no payer {number} on the ledger"
            )
        place = 2
        while self._keystores.has(f"payer-{number}-{place}"):
            if self._keystores.account_of(f"payer-{number}-{place}") not in known:
                break
            place += 1
        account = self._keystore(f"payer-{number}-{place}")
        if self._account(account)[0] == 0:
            self._require_own_key(account)
            self._send("registrar", "rotatePayerAccount", number, _NOBODY, account)
        if self._ledger.read("Registry", "payerOf", account)[0] != number:
            raise LedgerUnavailableError(
                "账户还未登记到账本，请再运行一次",
                "the account is not on the ledger yet: run it again",
            )
        return account

    def publish_policy(self, policy_hash: bytes, effective_from: dt.date) -> bool:
        """Publish a policy pack by its hash; False when it was published before."""
        if self._ledger.policy_published_at(policy_hash):
            return False
        self._send("policy-publisher", "publishPolicy", policy_hash, _second(effective_from))
        return True

    def set_paused(self, paused: bool) -> bool:
        """Stop or open intake; False when it is so already."""
        if self._ledger.is_intake_paused() == paused:
            return False
        self._send("pauser", "pause" if paused else "unpause")
        return True

    def _keystore(self, role: str) -> str:
        """The account of a keystore of ours, which is made only where it can be registered too:
        one that was made with a wrong password would lock up what is registered with it."""
        if not self._keystores.has(role):
            self._require_role("registrar")
        return self._keystores.create(role)

    def _require_own_key(self, account: str) -> None:
        """An account of ours is registered only when its key opens: it must be able to sign."""
        if self._keystores.holds(account):
            self._keystores.require_open(account)

    def _require_role(self, role: str) -> str:
        """The account of a role whose key opens and which has it on the ledger.

        Raises KeystoreError and RoleMissingError, with nothing sent.
        """
        account = self._keystores.account_of(role)
        self._keystores.require_open(account)
        name = _ROLES[role]
        if not self._ledger.read("Registry", "hasRole", bytes(keccak(text=name)), account)[0]:
            raise RoleMissingError(
                f"账户 {account}（密钥库 {role}）在账本上没有角色 {name}。请放回正确的密钥库，"
                "或请合约管理员授予它该角色",
                f"account {account} (keystore {role}) lacks the role {name} on the ledger: restore "
                "the right keystore, or let the contracts' admin grant it the role",
            )
        return account

    def _send(self, role: str, name: str, *arguments: Any) -> None:
        """One registry call, until it is mined; raises when the registry refuses it."""
        account = self._require_role(role)
        call = Call(
            self._ledger.deployment().registry, encode_call("Registry", name, *arguments), _GAS
        )
        self._ledger.check(account, call)
        deadline = time.monotonic() + _WAIT_SECONDS
        lease = None
        while lease is None:
            try:
                lease = take_lease(self._deps, account)
            except LeaseHeldError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        record = commit_signed(self._deps, lease, account, call, (), purpose=Purpose.ADMIN)
        forward(self._deps, record)
        with self._services.work() as work:
            work.accounts.release(lease)
            work.commit()
        assert record.tx_hash is not None
        while time.monotonic() < deadline:
            receipt = self._ledger.receipt(record.tx_hash)
            if receipt is not None:
                settle_nonces(self._deps)
                advance_finality(self._deps)
                if not receipt.succeeded:
                    raise RegistrationError(
                        f"账本拒绝了 {name}", f"the ledger refused {name}; run it again"
                    )
                return
            time.sleep(0.05)
        raise LedgerUnavailableError(
            "交易迟迟没有入块", "the transaction is not mined yet; run it again"
        )


def _second(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), SHANGHAI).timestamp())
