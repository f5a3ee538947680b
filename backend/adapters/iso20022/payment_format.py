"""The port ``PaymentFormat``: payment files as pain.001.001.11, reports as pain.002.001.12,
statements as camt.053.001.08."""

from __future__ import annotations

from backend.adapters.iso20022.camt053 import is_camt053, read_camt053
from backend.adapters.iso20022.document import MessageError, is_well_formed
from backend.adapters.iso20022.pain001 import read_pain001, write_pain001
from backend.adapters.iso20022.pain002 import read_pain002
from backend.service_layer.payout.ports import BadPaymentFileError, BadStatusFileError
from backend.service_layer.payout.records import BankStatement, PaymentFile, StatusReport


class Iso20022Format:
    def write(self, file: PaymentFile) -> bytes:
        try:
            return write_pain001(file)
        except MessageError as error:
            raise BadPaymentFileError(
                f"付款文件写不出来：{error}。没有发出任何指令。",
                f"the payment file cannot be written: {error}. No instruction has left.",
            ) from error

    def read_payment(self, content: bytes) -> PaymentFile:
        """A payment file of ours, read back."""
        try:
            return read_pain001(content)
        except MessageError as error:
            raise BadPaymentFileError(
                f"付款文件读不出来：{error}", f"the payment file cannot be read: {error}"
            ) from error

    def read(self, content: bytes) -> StatusReport:
        try:
            return read_pain002(content)
        except MessageError as error:
            raise BadStatusFileError(
                f"银行文件不可信：{error}。一笔也没有入账，文件已保留。",
                f"the bank file cannot be believed: {error}. Nothing of it was booked.",
            ) from error

    def is_whole(self, content: bytes) -> bool:
        return is_well_formed(content)

    def is_statement(self, content: bytes) -> bool:
        return is_camt053(content)

    def read_statement(self, content: bytes) -> BankStatement:
        try:
            return read_camt053(content)
        except MessageError as error:
            raise BadStatusFileError(
                f"银行对账单不可信：{error}。没有采用，文件已保留。",
                f"the bank's statement cannot be believed: {error}. It was not used.",
            ) from error
