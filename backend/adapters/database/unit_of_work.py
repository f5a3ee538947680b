"""One database transaction with the repositories as its attributes.

``with SqlUnitOfWork(engine) as work: ...; work.commit()``. Leaving the block without ``commit``
rolls back. Repositories are made at first use and belong to the transaction.
"""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from backend.adapters.clock import SystemClock
from backend.adapters.database.engine import READ_ONLY_OPTION
from backend.domain.errors import UnstorableError
from backend.service_layer import failpoints
from backend.service_layer.ports import Clock

if TYPE_CHECKING:
    from backend.adapters.database.account_repository import AccountRepository
    from backend.adapters.database.adjustment_repository import AdjustmentRepository
    from backend.adapters.database.alarm_repository import AlarmRepository
    from backend.adapters.database.audit_rule_repository import AuditRuleRepository
    from backend.adapters.database.bank_statement_repository import BankStatementRepository
    from backend.adapters.database.batch_repository import BatchRepository
    from backend.adapters.database.bill_comparison_repository import BillComparisonRepository
    from backend.adapters.database.cause_repository import CauseRepository
    from backend.adapters.database.chain_repository import ChainRepository
    from backend.adapters.database.claim_repository import ClaimRepository
    from backend.adapters.database.clearing_repository import ClearingRepository
    from backend.adapters.database.decided_claims_repository import DecidedClaimsRepository
    from backend.adapters.database.decision_repository import DecisionRepository
    from backend.adapters.database.declaration_repository import DeclarationRepository
    from backend.adapters.database.dispute_repository import DisputeRepository
    from backend.adapters.database.institution_repository import InstitutionRepository
    from backend.adapters.database.invoice_repository import InvoiceRepository
    from backend.adapters.database.journal_repository import JournalRepository
    from backend.adapters.database.lead_repository import LeadRepository
    from backend.adapters.database.lost_period_repository import LostPeriodRepository
    from backend.adapters.database.material_repository import MaterialRepository
    from backend.adapters.database.money_report_repository import MoneyReportRepository
    from backend.adapters.database.money_rule_repository import MoneyRuleRepository
    from backend.adapters.database.outbox_repository import OutboxRepository
    from backend.adapters.database.outside_repository import OutsideRepository
    from backend.adapters.database.payee_repository import PayeeRepository
    from backend.adapters.database.payer_repository import PayerRepository
    from backend.adapters.database.payment_list_repository import PaymentListRepository
    from backend.adapters.database.payment_repository import PaymentRepository
    from backend.adapters.database.payout_repository import PayoutRepository
    from backend.adapters.database.person_repository import PersonRepository
    from backend.adapters.database.reconciliation_repository import ReconciliationRepository
    from backend.adapters.database.recovery_repository import RecoveryRepository
    from backend.adapters.database.register_repository import RegisterRepository
    from backend.adapters.database.reopening_repository import ReopeningRepository
    from backend.adapters.database.review_repository import ReviewRepository
    from backend.adapters.database.revision_repository import RevisionRepository
    from backend.adapters.database.sample_repository import SampleRepository
    from backend.adapters.database.second_payer_repository import SecondPayerRepository
    from backend.adapters.database.staff_act_repository import StaffActRepository
    from backend.adapters.database.staff_repository import StaffRepository
    from backend.adapters.database.statement_repository import StatementRepository
    from backend.adapters.database.transaction_repository import TransactionRepository


class SqlUnitOfWork:
    """A unit of work on SQLite or PostgreSQL; not shared between threads."""

    def __init__(self, engine: sa.Engine, write: bool = True, clock: Clock | None = None) -> None:
        self._engine = engine
        self._write = write
        self._clock = clock or SystemClock()
        self._connection: sa.Connection | None = None

    def __enter__(self) -> Self:
        assert self._connection is None, "a unit of work is entered once"
        connection = self._engine.connect()
        try:
            if not self._write:
                connection = connection.execution_options(**{READ_ONLY_OPTION: True})
            connection.begin()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing rolls back what was not committed.
        self.connection.close()
        if isinstance(error, sa.exc.DataError):
            raise UnstorableError(
                "有一个值数据库存不下或读不出，这一步没有写入",
                f"the database cannot hold or read a value: {type(error.orig).__name__}",
            ) from error

    def commit(self) -> None:
        """Make everything durable. The unit of work is over; use a new one afterwards."""
        failpoints.reach("commit.before")
        self.connection.commit()
        failpoints.reach("commit.after")

    def rollback(self) -> None:
        self.connection.rollback()

    @property
    def connection(self) -> sa.Connection:
        assert self._connection is not None, "enter the unit of work first"
        return self._connection

    @cached_property
    def accounts(self) -> AccountRepository:
        from backend.adapters.database.account_repository import AccountRepository

        return AccountRepository(self.connection, self._clock)

    @cached_property
    def adjustments(self) -> AdjustmentRepository:
        from backend.adapters.database.adjustment_repository import AdjustmentRepository

        return AdjustmentRepository(self.connection, self._clock)

    @cached_property
    def alarms(self) -> AlarmRepository:
        from backend.adapters.database.alarm_repository import AlarmRepository

        return AlarmRepository(self.connection, self._clock)

    @cached_property
    def audit_rules(self) -> AuditRuleRepository:
        from backend.adapters.database.audit_rule_repository import AuditRuleRepository

        return AuditRuleRepository(self.connection, self._clock)

    @cached_property
    def bill_comparison(self) -> BillComparisonRepository:
        from backend.adapters.database.bill_comparison_repository import BillComparisonRepository

        return BillComparisonRepository(self.connection, self._clock)

    @cached_property
    def batches(self) -> BatchRepository:
        from backend.adapters.database.batch_repository import BatchRepository

        return BatchRepository(self.connection, self._clock)

    @cached_property
    def causes(self) -> CauseRepository:
        from backend.adapters.database.cause_repository import CauseRepository

        return CauseRepository(self.connection, self._clock)

    @cached_property
    def chain(self) -> ChainRepository:
        from backend.adapters.database.chain_repository import ChainRepository

        return ChainRepository(self.connection, self._clock)

    @cached_property
    def outbox(self) -> OutboxRepository:
        from backend.adapters.database.outbox_repository import OutboxRepository

        return OutboxRepository(self.connection, self._clock)

    @cached_property
    def transactions(self) -> TransactionRepository:
        from backend.adapters.database.transaction_repository import TransactionRepository

        return TransactionRepository(self.connection, self._clock)

    @cached_property
    def institutions(self) -> InstitutionRepository:
        from backend.adapters.database.institution_repository import InstitutionRepository

        return InstitutionRepository(self.connection, self._clock)

    @cached_property
    def invoices(self) -> InvoiceRepository:
        from backend.adapters.database.invoice_repository import InvoiceRepository

        return InvoiceRepository(self.connection, self._clock)

    @cached_property
    def disputes(self) -> DisputeRepository:
        from backend.adapters.database.dispute_repository import DisputeRepository

        return DisputeRepository(self.connection, self._clock)

    @cached_property
    def claims(self) -> ClaimRepository:
        from backend.adapters.database.claim_repository import ClaimRepository

        return ClaimRepository(self.connection, self._clock)

    @cached_property
    def clearings(self) -> ClearingRepository:
        from backend.adapters.database.clearing_repository import ClearingRepository

        return ClearingRepository(self.connection, self._clock)

    @cached_property
    def decided_claims(self) -> DecidedClaimsRepository:
        from backend.adapters.database.decided_claims_repository import DecidedClaimsRepository

        return DecidedClaimsRepository(self.connection, self._clock)

    @cached_property
    def decisions(self) -> DecisionRepository:
        from backend.adapters.database.decision_repository import DecisionRepository

        return DecisionRepository(self.connection, self._clock)

    @cached_property
    def declarations(self) -> DeclarationRepository:
        from backend.adapters.database.declaration_repository import DeclarationRepository

        return DeclarationRepository(self.connection, self._clock)

    @cached_property
    def outside(self) -> OutsideRepository:
        from backend.adapters.database.outside_repository import OutsideRepository

        return OutsideRepository(self.connection, self._clock)

    @cached_property
    def bank_statements(self) -> BankStatementRepository:
        from backend.adapters.database.bank_statement_repository import BankStatementRepository

        return BankStatementRepository(self.connection, self._clock)

    @cached_property
    def lost_periods(self) -> LostPeriodRepository:
        from backend.adapters.database.lost_period_repository import LostPeriodRepository

        return LostPeriodRepository(self.connection)

    @cached_property
    def payees(self) -> PayeeRepository:
        from backend.adapters.database.payee_repository import PayeeRepository

        return PayeeRepository(self.connection, self.lost_periods)

    @cached_property
    def payers(self) -> PayerRepository:
        from backend.adapters.database.payer_repository import PayerRepository

        return PayerRepository(self.connection, self._clock)

    @cached_property
    def payments(self) -> PaymentRepository:
        from backend.adapters.database.payment_repository import PaymentRepository

        return PaymentRepository(self.connection, self._clock)

    @cached_property
    def payment_lists(self) -> PaymentListRepository:
        from backend.adapters.database.payment_list_repository import PaymentListRepository

        return PaymentListRepository(self.connection)

    @cached_property
    def payouts(self) -> PayoutRepository:
        from backend.adapters.database.payout_repository import PayoutRepository

        return PayoutRepository(self.connection, self._clock)

    @cached_property
    def people(self) -> PersonRepository:
        from backend.adapters.database.person_repository import PersonRepository

        return PersonRepository(self.connection, self._clock)

    @cached_property
    def reconciliation(self) -> ReconciliationRepository:
        from backend.adapters.database.reconciliation_repository import ReconciliationRepository

        return ReconciliationRepository(self.connection, self._clock)

    @cached_property
    def recoveries(self) -> RecoveryRepository:
        from backend.adapters.database.recovery_repository import RecoveryRepository

        return RecoveryRepository(self.connection, self._clock)

    @cached_property
    def register(self) -> RegisterRepository:
        from backend.adapters.database.register_repository import RegisterRepository

        return RegisterRepository(self.connection, self._clock)

    @cached_property
    def revisions(self) -> RevisionRepository:
        from backend.adapters.database.revision_repository import RevisionRepository

        return RevisionRepository(self.connection, self._clock)

    @cached_property
    def reopenings(self) -> ReopeningRepository:
        from backend.adapters.database.reopening_repository import ReopeningRepository

        return ReopeningRepository(self.connection, self._clock)

    @cached_property
    def reviews(self) -> ReviewRepository:
        from backend.adapters.database.review_repository import ReviewRepository

        return ReviewRepository(self.connection, self._clock)

    @cached_property
    def journal(self) -> JournalRepository:
        from backend.adapters.database.journal_repository import JournalRepository

        return JournalRepository(self.connection, self._clock)

    @cached_property
    def leads(self) -> LeadRepository:
        from backend.adapters.database.lead_repository import LeadRepository

        return LeadRepository(self.connection, self._clock)

    @cached_property
    def material(self) -> MaterialRepository:
        from backend.adapters.database.material_repository import MaterialRepository

        return MaterialRepository(self.connection, self._clock)

    @cached_property
    def money_reports(self) -> MoneyReportRepository:
        from backend.adapters.database.money_report_repository import MoneyReportRepository

        return MoneyReportRepository(self.connection, self._clock)

    @cached_property
    def money_rules(self) -> MoneyRuleRepository:
        from backend.adapters.database.money_rule_repository import MoneyRuleRepository

        return MoneyRuleRepository(self.connection, self._clock)

    @cached_property
    def samples(self) -> SampleRepository:
        from backend.adapters.database.sample_repository import SampleRepository

        return SampleRepository(self.connection, self._clock)

    @cached_property
    def second_payers(self) -> SecondPayerRepository:
        from backend.adapters.database.second_payer_repository import SecondPayerRepository

        return SecondPayerRepository(self.connection, self._clock)

    @cached_property
    def staff_acts(self) -> StaffActRepository:
        from backend.adapters.database.staff_act_repository import StaffActRepository

        return StaffActRepository(self.connection, self._clock)

    @cached_property
    def staff(self) -> StaffRepository:
        from backend.adapters.database.staff_repository import StaffRepository

        return StaffRepository(self.connection, self._clock)

    @cached_property
    def statements(self) -> StatementRepository:
        from backend.adapters.database.statement_repository import StatementRepository

        return StatementRepository(self.connection, self._clock)
