"""A file of the bank with money that came back: taken in as a whole, or nothing of it.

CSV in UTF-8 with the head ``reference,order,yuan,received_on``: the bank's reference, the order
that the payer wrote on the transfer, the amount in yuan, the day. A file may come twice.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import Counter
from typing import Final

from backend.domain.errors import DomainError
from backend.service_layer.failpoints import reach
from backend.service_layer.recovery.people import Incoming, take_receipt
from backend.service_layer.recovery.ports import RecoveryServices

HEAD: Final = ["reference", "order", "yuan", "received_on"]
BYTES_MAX: Final = 2**20
ROWS_MAX: Final = 5_000
FAULTS_SHOWN: Final = 50
_YUAN: Final = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?", re.ASCII)


class ReceiptFileError(DomainError):
    """Nothing of the file was booked; ``faults`` says why, a line each."""

    code = "bad-receipt-file"

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults[:FAULTS_SHOWN])
        more = len(faults) - len(self.faults)
        listed = "; ".join((*self.faults, *([f"and {more} more"] if more else [])))
        super().__init__(
            f"文件没有入账，一笔都没有：{listed}", f"nothing of the file was booked: {listed}"
        )


def take_in_receipts(deps: RecoveryServices, content: bytes, *, by: str) -> tuple[int, int]:
    """Book every row of a bank's file in one transaction; (new, known before).

    Raises :class:`ReceiptFileError` with every fault, and then nothing of it is booked.
    """
    rows = read_rows(content)
    faults, new = [], 0
    with deps.work() as work:
        for number, row in enumerate(rows, start=2):
            try:
                new += take_receipt(deps, work, row, by=by, source="file")
            except DomainError as error:
                faults.append(f"line {number}: {error.en}")
        if faults:
            raise ReceiptFileError(faults)
        work.commit()
    reach("recovery.received")
    return new, len(rows) - new


def read_rows(content: bytes) -> list[Incoming]:
    """The rows of a file; raises :class:`ReceiptFileError` with every line that cannot be read."""
    if len(content) > BYTES_MAX:
        raise ReceiptFileError([f"more than {BYTES_MAX} bytes"])
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReceiptFileError(["no CSV in UTF-8"]) from error
    if not lines or lines[0] != HEAD:
        raise ReceiptFileError([f"line 1: the head is {','.join(HEAD)}"])
    if not 1 <= len(lines) - 1 <= ROWS_MAX:
        raise ReceiptFileError([f"a file has 1 to {ROWS_MAX} rows"])
    rows, faults = [], []
    for number, line in enumerate(lines[1:], start=2):
        row = _row(line)
        if row is None:
            faults.append(f"line {number}: cannot be read")
        else:
            rows.append(row)
    counts = Counter((row.reference, row.order_id) for row in rows)
    faults += [
        f"{name} is named {n} times for {order}" for (name, order), n in counts.items() if n > 1
    ]
    if faults:
        raise ReceiptFileError(faults)
    return rows


def _row(line: list[str]) -> Incoming | None:
    if len(line) != len(HEAD):
        return None
    reference, order_id, yuan, day = (cell.strip() for cell in line)
    amount = _YUAN.fullmatch(yuan)
    try:
        received_on = dt.date.fromisoformat(day)
    except ValueError:
        return None
    if amount is None or not order_id or len(order_id) > 40:
        return None
    fen = int(amount[1]) * 100 + int((amount[2] or "").ljust(2, "0") or 0)
    return Incoming(reference, order_id, fen, received_on)
