"""The composition root: builds the services that the entry points use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.engine import make_engine
from backend.adapters.database.unit_of_work import SqlUnitOfWork
from backend.adapters.identifiers import RandomIds
from backend.adapters.secret_box import AESGCMSecretBox
from backend.domain.review import CaseKind
from backend.service_layer.anchoring.model import Deployment
from backend.service_layer.ports import Clock, IdSource, LedgerUnavailableError
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.ledger.client import LedgerClient
    from backend.adapters.ledger.keystores import Keystores
    from backend.service_layer.review.ports import Concluder


@dataclass
class Services:
    """What an entry point needs; parts are built on first use, so that small commands start
    at once and tests can replace any of them."""

    settings: Settings
    clock: Clock
    ids: IdSource
    #: How long one read of a ledger node may take. The web answers people: a node that hangs is
    #: soon said to be unavailable, and does not hold the threads that serve everybody else.
    ledger_timeout_seconds: float = 10

    @cached_property
    def engine(self) -> sa.Engine:
        return make_engine(self.settings.database_url)

    def work(self, *, write: bool = True) -> SqlUnitOfWork:
        """A new unit of work (one database transaction)."""
        return SqlUnitOfWork(self.engine, write=write)

    @property
    def reading(self) -> Callable[[], SqlUnitOfWork]:
        return lambda: self.work(write=False)

    @cached_property
    def network_key(self) -> bytes:
        return self.settings.secret("network_key")

    @cached_property
    def secret_box(self) -> AESGCMSecretBox:
        return AESGCMSecretBox(self.settings.secret("wrapping_key"))

    @cached_property
    def ledger(self) -> LedgerClient:
        """The ledger client; it reads the deployment row on first use."""
        from backend.adapters.ledger.client import LedgerClient

        settings = self.settings
        return LedgerClient(
            settings.rpc_urls,
            self._deployment,
            settings.finality,
            settings.fee_mode,
            self.ledger_timeout_seconds,
        )

    def _deployment(self) -> Deployment | None:
        with self.work(write=False) as work:
            return work.chain.deployment()

    @cached_property
    def keystores(self) -> Keystores:
        """The ledger keys that this operator holds; each is opened at first use."""
        from backend.adapters.ledger.keystores import Keystores

        return Keystores.from_settings(self.settings)

    @cached_property
    def report_signer(self) -> Any:
        """Signs reports with the agency's keys on the ledger."""
        from backend.adapters.ledger.report_signing import LedgerKeySigner

        return LedgerKeySigner(self.keystores)

    @cached_property
    def signature_reader(self) -> Any:
        """Tells who has signed a report; needs no key."""
        from backend.adapters.ledger.report_signing import SignatureReader

        return SignatureReader()

    @cached_property
    def report_copies(self) -> Any:
        """The signed reports once more, where a restored database does not reach."""
        from backend.adapters.report_copies import ReportCopies

        return ReportCopies(self.settings.var_dir / "reports")

    @cached_property
    def packs(self) -> Any:
        from backend.adapters.policy_packs import load_packs

        return load_packs()

    @cached_property
    def catalogue(self) -> Any:
        from backend.adapters.catalogue import load_catalogue

        return load_catalogue()

    @cached_property
    def facts(self) -> Any:
        """The embedded system's insurance register is simulated and says so in every snapshot."""
        from backend.adapters.simulated_register import SimulatedRegister

        return SimulatedRegister(self.settings.region)

    @cached_property
    def rule_documents(self) -> Any:
        """The texts of the shipped policy packs and catalogues."""
        from backend.adapters.rule_documents import ShippedRules

        return ShippedRules()

    @cached_property
    def rule_book(self) -> Any:
        """The audit rules that are shipped; a wrong set is refused with every fault."""
        from backend.adapters.audit_rules import load_rule_book

        return load_rule_book()

    def point_scale(self, day: dt.date) -> Any:
        """The point scale valid on a day with its digest; None when there is none."""
        from backend.adapters.point_scales import load_scales, scale_on

        return scale_on(load_scales(), day)

    @cached_property
    def calendar(self) -> Any:
        from backend.adapters.holiday_calendar import ChineseCalendar

        return ChineseCalendar()

    @cached_property
    def material_store(self) -> Any:
        """The attachments of citizens' answers, outside the database."""
        from backend.adapters.file_store import FolderFileStore

        return FolderFileStore(self.settings.var_dir / "material")

    @cached_property
    def material_check(self) -> Any:
        from backend.adapters.material_files import MaterialFiles

        return MaterialFiles()

    @cached_property
    def conclusions(self) -> Mapping[CaseKind, Concluder]:
        """What a decided case does, by the package that opens its kind."""
        from backend.service_layer.handling.appeals import conclude_request_case
        from backend.service_layer.supervision.sampling_audit import conclude_post_audit

        return {
            CaseKind.APPEAL: conclude_request_case,
            CaseKind.REOPEN: conclude_request_case,
            CaseKind.REVISION: conclude_request_case,
            CaseKind.POST_AUDIT: conclude_post_audit,
        }

    @cached_property
    def outside_files(self) -> Any:
        """The files of bills from outside, outside the database."""
        from backend.adapters.file_store import FolderFileStore

        return FolderFileStore(self.settings.var_dir / "outside")

    @cached_property
    def documents(self) -> Any:
        from backend.adapters.outside_documents import OutsideDocuments

        return OutsideDocuments()

    @cached_property
    def bank(self) -> Any:
        """The embedded system's bank pays nobody and says so in every answer; in production files
        go through a folder that a file desk or an SFTP mount serves."""
        from backend.adapters.bank.folder_exchange import FolderExchange
        from backend.adapters.bank.simulated_bank import SimulatedBank

        folder = self.settings.var_dir / "bank"
        if self.settings.bank == "folder":
            return FolderExchange(folder)
        return SimulatedBank(folder, self.clock.now, gives_statements=True)

    @cached_property
    def payment_format(self) -> Any:
        from backend.adapters.iso20022.payment_format import Iso20022Format

        return Iso20022Format()

    @cached_property
    def payees(self) -> Any:
        """Where people's money goes: accounts whose holder the bank has confirmed."""
        from backend.service_layer.payees.effective import VerifiedAccounts

        return VerifiedAccounts(self.secret_box)

    @cached_property
    def banks(self) -> Any:
        """The banks at which a person may name an account."""
        from backend.adapters.banks import listed_banks

        return listed_banks(is_simulated=self.bank.is_simulated)

    @cached_property
    def messenger(self) -> Any:
        """Sends notices. The embedded one writes files and says so."""
        from backend.adapters.simulated_messenger import SimulatedMessenger

        return SimulatedMessenger(self.settings.var_dir / "notices")

    def readiness(self) -> dict[str, Any]:
        """Whether requests can be served now, and what is late (for ``/readyz``)."""
        from backend.service_layer.anchoring.status import late_because, status
        from backend.service_layer.money_reconciliation.status import reconciliation_figures
        from backend.service_layer.review.read import figures

        report: dict[str, Any] = {"ready": True}
        try:
            report["review"] = figures(self)
            with self.work(write=False) as work:
                report["anchoring"] = status(work, self.clock.now())
                report["reconciliation"] = reconciliation_figures(self, work)
                reasons = late_because(work)
            if reasons:
                report["late_because"] = reasons
            report["database"] = "ok"
        except sa.exc.SQLAlchemyError:
            report |= {"ready": False, "database": "unavailable"}
        try:
            head = self.ledger.head()
            report["ledger"] = {"head": head.number, "final": self.ledger.final_number()}
        except sa.exc.SQLAlchemyError:  # which network it is stands in the database
            report["ledger"] = "unknown"
        except LedgerUnavailableError:
            # Uploads and submissions are still accepted, so this is late, not unready.
            report["ledger"] = "unavailable"
        return report

    def metrics(self) -> str:
        """The figures of :meth:`readiness` in the Prometheus text format."""
        from backend.service_layer.metrics_text import to_prometheus

        return to_prometheus(self.readiness())


def build_services(settings: Settings | None = None) -> Services:
    """The real services, from the environment unless settings are given."""
    return Services(settings or Settings.from_environment(), SystemClock(), RandomIds())
