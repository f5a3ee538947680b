"""The trust file: what whoever verifies believes. Never taken from a bundle (SPEC.md B2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from verifier.commitment.canonical import ParsedValue, parse_canonical
from verifier.errors import MalformedError
from verifier.reading import ObjectReader, parse_hex

FORMAT: Final = "yichu-trust-1"
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_CONFIRMATIONS: Final = 1000
MAX_PREDECESSORS: Final = 16


@dataclass(frozen=True, slots=True)
class TrustedContract:
    """A contract that is believed because its code is known."""

    address: bytes
    code_hash: bytes
    deployment_block: int


@dataclass(frozen=True, slots=True)
class TrustedInstitution:
    """An institution's registered code and its name for the reader."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """A parsed trust file.

    ``institutions`` is None when the file lists none; then the ledger's registry decides.
    ``predecessors`` are retired ledgers whose events still count; the invoice ledger answers for
    their slots and batches. ``network_key`` is kept out of ``repr``.
    """

    chain_id: int
    genesis_hash: bytes
    registry: TrustedContract
    invoice_ledger: TrustedContract
    predecessors: tuple[TrustedContract, ...]
    confirmations: int
    institutions: dict[int, TrustedInstitution] | None
    network_key: bytes | None = field(repr=False)
    network_key_version: int


def parse_trust(data: bytes) -> TrustedRoot:
    """Return the trusted root that ``data`` spells. Raises MalformedError, naming the place."""
    reader = ObjectReader(
        parse_canonical(data, MAX_BYTES),
        "trust",
        ("format", "chain_id", "genesis_hash", "contracts", "finality"),
        ("institutions", "network_key", "network_key_version"),
    )
    reader.choice("format", (FORMAT,))
    contracts = ObjectReader(
        reader.value("contracts"),
        "trust.contracts",
        ("registry", "invoice_ledger"),
        ("predecessors",),
    )
    finality = ObjectReader(reader.value("finality"), "trust.finality", ("kind", "confirmations"))
    finality.choice("kind", ("node",))
    if reader.has("network_key_version") and not reader.has("network_key"):
        raise MalformedError("trust has a network_key_version without a network_key")
    return TrustedRoot(
        chain_id=reader.integer("chain_id", 1),
        genesis_hash=_hex(reader, "genesis_hash", 32),
        registry=_named_contract(contracts, "registry"),
        invoice_ledger=_named_contract(contracts, "invoice_ledger"),
        predecessors=_predecessors(contracts) if contracts.has("predecessors") else (),
        confirmations=finality.integer("confirmations", 1, MAX_CONFIRMATIONS),
        institutions=_institutions(reader) if reader.has("institutions") else None,
        network_key=_hex(reader, "network_key", 32) if reader.has("network_key") else None,
        network_key_version=(
            reader.integer("network_key_version", 0, 65_535)
            if reader.has("network_key_version")
            else 1
        ),
    )


def _hex(reader: ObjectReader, name: str, size: int) -> bytes:
    """Hex as people paste it: an optional 0x and capital letters are allowed here."""
    value: ParsedValue = reader.text(name).lower().removeprefix("0x")
    return parse_hex(value, size, reader.place(name))


def _predecessors(contracts: ObjectReader) -> tuple[TrustedContract, ...]:
    where = contracts.place("predecessors")
    value = contracts.value("predecessors")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PREDECESSORS:
        raise MalformedError(f"{where} is not an array of 1 to {MAX_PREDECESSORS} contracts")
    return tuple(_contract(entry, f"{where}[{place}]") for place, entry in enumerate(value))


def _named_contract(contracts: ObjectReader, name: str) -> TrustedContract:
    return _contract(contracts.value(name), contracts.place(name))


def _contract(value: ParsedValue, where: str) -> TrustedContract:
    reader = ObjectReader(value, where, ("address", "code_hash", "deployment_block"))
    return TrustedContract(
        address=_hex(reader, "address", 20),
        code_hash=_hex(reader, "code_hash", 32),
        deployment_block=reader.integer("deployment_block"),
    )


def _institutions(reader: ObjectReader) -> dict[int, TrustedInstitution]:
    where = reader.place("institutions")
    value = reader.value("institutions")
    if not isinstance(value, dict):
        raise MalformedError(f"{where} is not an object")
    found: dict[int, TrustedInstitution] = {}
    for key, entry in value.items():
        # The length comes first: int() of a long text is slow, then refused.
        digits = len(key) <= 5 and key.isascii() and key.isdigit()
        if not digits or key != str(int(key)) or not 1 <= int(key) < 2**16:
            raise MalformedError(f"{where} has a name that is no institution number")
        institution = ObjectReader(entry, f"{where}.{key}", ("code", "name"))
        found[int(key)] = TrustedInstitution(institution.text("code"), institution.text("name"))
    return found
