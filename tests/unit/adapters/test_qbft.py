"""QBFT's commit seals, on a published Besu header and on headers sealed here with known keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_keys import keys

from backend.adapters.ledger.headers import Header, HeaderError
from backend.adapters.ledger.qbft import SealedHeader, is_committed, quorum

PUBLISHED = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "besu_qbft_header.json").read_text("utf-8")
)
BLOCK = PUBLISHED["block"]
VALIDATORS = frozenset(bytes.fromhex(v[2:]) for v in PUBLISHED["validators"])
KEYS = [keys.PrivateKey(number.to_bytes(32, "big")) for number in range(1, 8)]


def account(key: keys.PrivateKey) -> bytes:
    return bytes(key.public_key.to_canonical_address())


def published(**changes: Any) -> SealedHeader:
    return SealedHeader.parse(Header.parse({**BLOCK, **changes}))


def block_of(
    listed: list[keys.PrivateKey],
    signing: list[keys.PrivateKey],
    *,
    number: int = 9,
    agreed: bytes = b"",
    seals: list[bytes] | None = None,
) -> dict[str, Any]:
    """A block as Besu would serve it, sealed by the given keys; by the documented rules."""
    accounts = [account(key) for key in listed]
    vanity = bytes(32)

    def digest(extra: list[Any]) -> bytes:
        header = Header.parse({**BLOCK, "number": hex(number), "extraData": "0x"})
        return header.digest(rlp.encode(extra))

    commit = digest([vanity, accounts, [], agreed, []])
    made = [key.sign_msg_hash(commit).to_bytes() for key in signing] if seals is None else seals
    extra = rlp.encode([vanity, accounts, [], agreed, made])
    name = digest([vanity, accounts, [], b"", []])
    return {
        **BLOCK, "number": hex(number), "extraData": "0x" + extra.hex(), "hash": "0x" + name.hex()
    }  # fmt: skip


def sealed(*arguments: Any, **options: Any) -> SealedHeader:
    return SealedHeader.parse(Header.parse(block_of(*arguments, **options)))


def test_published_block_gives_the_hash_that_its_validators_signed() -> None:
    assert "0x" + published().commit_hash().hex() == PUBLISHED["commit_hash"]


def test_published_block_was_sealed_by_three_of_its_four_validators() -> None:
    header = published()
    assert header.validators == VALIDATORS
    assert len(header.committers()) == 3
    assert header.committers() < VALIDATORS
    assert is_committed(header, VALIDATORS)


def test_published_encoding_of_extra_data_is_read() -> None:
    """RAW_HEX_ENCODING_STRING of Besu's QbftExtraDataCodecTest: two validators, a vote, a round of
    0x00FEDCBA and two seals."""
    raw = (
        "f8f0a00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20ea94000000000000000"
        "0000000000000000000000001940000000000000000000000000000000000000002d794000000000000000000"
        "000000000000000000000181ff83fedcbaf886b8410000000000000000000000000000000000000000000000"
        "00000000000000000100000000000000000000000000000000000000000000000000000000000000"
        "0a00b841000000000000000000000000000000000000000000000000000000000000000a000000000000000000"
        "000000000000000000000000000000000000000000000100"
    )
    header = Header.parse({**BLOCK, "extraData": "0x" + raw})
    with pytest.raises(HeaderError, match="does not hash"):  # it is no extra data of this block
        SealedHeader.parse(header)
    vanity, validators, vote, number, seals = rlp.decode(bytes.fromhex(raw))
    assert validators == [bytes(19) + b"\x01", bytes(19) + b"\x02"]
    assert (vote, number, len(seals)) == ([validators[0], b"\xff"], b"\xfe\xdc\xba", 2)
    assert vanity[0] == 1


@pytest.mark.parametrize(
    ("validators", "seals"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)]
)
def test_a_quorum_is_two_thirds_rounded_up(validators: int, seals: int) -> None:
    assert quorum(validators) == seals


def test_three_of_four_are_enough_and_two_are_not() -> None:
    four = KEYS[:4]
    trusted = frozenset(map(account, four))
    assert is_committed(sealed(four, four[:3]), trusted)
    assert is_committed(sealed(four, four), trusted)
    assert not is_committed(sealed(four, four[:2]), trusted)
    assert not is_committed(sealed(four, []), trusted)


def test_a_seal_given_twice_counts_once() -> None:
    four = KEYS[:4]
    header = sealed(four, [four[0], four[0], four[1], four[1]])
    assert not is_committed(header, frozenset(map(account, four)))


def test_seals_of_strangers_do_not_count() -> None:
    four = KEYS[:4]
    header = sealed(four, [*four[:2], *KEYS[4:7]])
    assert not is_committed(header, frozenset(map(account, four)))


def test_a_node_cannot_pass_off_validators_of_its_own() -> None:
    trusted = frozenset(map(account, KEYS[:4]))
    assert not is_committed(sealed(KEYS[4:7], KEYS[4:7]), trusted)
    # One of four trusted signed: not more than a third of them.
    assert not is_committed(sealed(KEYS[3:7], KEYS[3:7]), trusted | {bytes(20)})


def test_a_set_that_changed_by_one_validator_is_followed() -> None:
    trusted = frozenset(map(account, KEYS[:4]))
    assert is_committed(sealed(KEYS[:5], KEYS[1:5]), trusted)


def test_seals_of_another_round_do_not_count() -> None:
    four = KEYS[:4]
    other = SealedHeader.parse(Header.parse(block_of(four, four, agreed=b"\x01")))
    moved = block_of(four, [], seals=list(other.seals))
    header = SealedHeader.parse(Header.parse(moved))
    assert not is_committed(header, frozenset(map(account, four)))


def test_the_round_changes_the_signed_hash_and_not_the_name() -> None:
    first, second = sealed(KEYS[:4], KEYS[:3]), sealed(KEYS[:4], KEYS[:3], agreed=b"\x02")
    assert first.block_hash() == second.block_hash()
    assert first.commit_hash() != second.commit_hash()


def test_an_altered_header_is_refused() -> None:
    with pytest.raises(HeaderError, match="does not hash to what it is called"):
        published(gasUsed="0x77")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (b"", "extra data is not QBFT's"),
        (bytes(97), "extra data is not QBFT's"),
        (rlp.encode([bytes(32), [], []]), "extra data is not QBFT's"),
        (rlp.encode([bytes(32), b"x", [], b"", []]), "extra data is not QBFT's"),
        (rlp.encode([bytes(32), [bytes(19)], [], b"", []]), "a validator is no account"),
        (rlp.encode([bytes(32), [[]], [], b"", []]), "a validator is no account"),
        (rlp.encode([bytes(32), [], [], b"", [bytes(64)]]), "a commit seal is no signature"),
        (rlp.encode([bytes(32), [bytes(20)] * 257, [], b"", []]), "more than 256 validators"),
    ],
)
def test_extra_data_of_another_form_is_refused(extra: bytes, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        published(extraData="0x" + extra.hex())


def test_a_seal_that_is_no_signature_is_refused() -> None:
    header = sealed(KEYS[:4], [], seals=[b"\xff" * 65] * 3)
    with pytest.raises(HeaderError, match="a seal is no signature"):
        header.committers()
