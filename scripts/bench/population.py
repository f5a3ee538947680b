"""Make Quzhou's self-pay population (requirement R15) and measure time and memory.

Run: ``python -m scripts.bench.population [--bills 15605] [--document]``. With ``--document`` each
bill is also written as its hospital sends it, with its fingerprint: what an agent does before it
uploads. Nothing is sent; ``python -m scripts.sample_data load --full`` feeds a running system.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import resource
import time

from backend.adapters.catalogue import load_catalogue
from scripts.sample_data.documents import bill_bytes
from scripts.sample_data.population import DEFAULT_SEED, QUZHOU_BILLS, quzhou_population
from verifier.commitment.fingerprint import compute_fingerprint

_AS_OF = dt.date(2026, 11, 22)
_SECRET = bytes(range(32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bills", type=int, default=QUZHOU_BILLS)
    parser.add_argument("--document", action="store_true")
    options = parser.parse_args()
    population = quzhou_population(DEFAULT_SEED, _AS_OF, load_catalogue())
    began, bills, lines, size = time.perf_counter(), 0, 0, 0
    for bill in itertools.islice(population.bills(), options.bills):
        bills += 1
        lines += len(bill.invoice.lines)
        if options.document:
            size += len(bill_bytes(bill))
            compute_fingerprint(bill.invoice.to_record(), _SECRET)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{bills} bills, {lines} lines in {seconds:.1f} s ({bills / seconds:,.0f} bills/s, "
        f"{lines / seconds:,.0f} lines/s), {size / 2**20:,.0f} MiB of documents, "
        f"peak memory {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
