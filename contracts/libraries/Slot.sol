// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What one invoice key has on the ledger. Layout, low bit first: total 40, paid 40, leaf
/// reference 48, deadline 32, open payer 8, lodge counter 16, flags 8, settled payers 64.
type Slot is uint256;

using {
    total,
    paid,
    leafReference,
    deadline,
    openPayer,
    counter,
    flags,
    settledPayers,
    hasFlag,
    cleared,
    bound,
    locked,
    unlocked,
    renewed,
    settled,
    withFlags,
    withoutFlags,
    inherited,
    isClaim,
    isEmpty,
    isPaperOf,
    isWithdrawn,
    left,
    reported
} for Slot global;

uint8 constant PINNED = 1;
uint8 constant VOID = 2;
uint8 constant REVERSED = 4;
uint8 constant ON_PAPER = 8;
uint8 constant IS_PAPER = 16;
uint8 constant ALIAS = 32;
uint8 constant MOVED = 64;

uint256 constant AMOUNT_MAX = 2 ** 40 - 1;
uint256 constant INDEX_MAX = 2 ** 10 - 1;
uint256 constant SEQUENCE_MAX = 2 ** 22 - 1;

uint256 constant PAID_AT = 40;
uint256 constant REFERENCE_AT = 80;
uint256 constant DEADLINE_AT = 128;
uint256 constant PAYER_AT = 160;
uint256 constant COUNTER_AT = 168;
uint256 constant FLAGS_AT = 184;
uint256 constant SETTLED_AT = 192;

uint256 constant COUNTER_MASK = uint256(type(uint16).max) << COUNTER_AT;
uint256 constant LOCK_MASK =
    (uint256(type(uint32).max) << DEADLINE_AT) | (uint256(type(uint8).max) << PAYER_AT);
uint256 constant DEADLINE_MASK = uint256(type(uint32).max) << DEADLINE_AT;
uint256 constant FLAGS_MASK = uint256(type(uint8).max) << FLAGS_AT;
uint256 constant KEPT_MASK = COUNTER_MASK | (uint256(MOVED) << FLAGS_AT);
uint256 constant PAID_MASK = AMOUNT_MAX << PAID_AT;
uint256 constant REFERENCE_MASK = uint256(type(uint48).max) << REFERENCE_AT;
uint256 constant CLAIM_MASK = 0xffffff;
uint256 constant WITHDRAWN_MASK =
    uint256(VOID | REVERSED | ON_PAPER | IS_PAPER) << FLAGS_AT;

function total(Slot slot) pure returns (uint256) {
    return Slot.unwrap(slot) & AMOUNT_MAX;
}

function paid(Slot slot) pure returns (uint256) {
    return (Slot.unwrap(slot) >> PAID_AT) & AMOUNT_MAX;
}

function leafReference(Slot slot) pure returns (uint48) {
    return uint48(Slot.unwrap(slot) >> REFERENCE_AT);
}

function deadline(Slot slot) pure returns (uint32) {
    return uint32(Slot.unwrap(slot) >> DEADLINE_AT);
}

function openPayer(Slot slot) pure returns (uint8) {
    return uint8(Slot.unwrap(slot) >> PAYER_AT);
}

function counter(Slot slot) pure returns (uint16) {
    return uint16(Slot.unwrap(slot) >> COUNTER_AT);
}

function flags(Slot slot) pure returns (uint8) {
    return uint8(Slot.unwrap(slot) >> FLAGS_AT);
}

function settledPayers(Slot slot) pure returns (uint256) {
    return Slot.unwrap(slot) >> SETTLED_AT;
}

function hasFlag(Slot slot, uint8 flag) pure returns (bool) {
    return flags(slot) & flag != 0;
}

/// @dev Whether the claim with this payer and counter is the open one. The two lie side by side.
function isClaim(Slot slot, uint256 payer, uint16 claimCounter) pure returns (bool) {
    return (Slot.unwrap(slot) >> PAYER_AT) & CLAIM_MASK == payer | (uint256(claimCounter) << 8);
}

/// @dev Never written: also by no predecessor, when it was read through to one.
function isEmpty(Slot slot) pure returns (bool) {
    return Slot.unwrap(slot) == 0;
}

/// @dev Whether this is the slot of a paper bill for which the e-bill of that leaf was exchanged.
function isPaperOf(Slot slot, uint48 leafRef) pure returns (bool) {
    return hasFlag(slot, IS_PAPER) && leafReference(slot) == leafRef;
}

/// @dev Voided, reversed and exchanged bills and the papers of the latter are not payable.
function isWithdrawn(Slot slot) pure returns (bool) {
    return Slot.unwrap(slot) & WITHDRAWN_MASK != 0;
}

/// @dev What nobody has borne or paid yet.
function left(Slot slot) pure returns (uint256) {
    // Cannot wrap: a leaf is bound with borne <= total, and `settled` adds no more than this.
    unchecked {
        return total(slot) - paid(slot);
    }
}

/// @dev The slot's part of a detail word: leaf reference at 72, paid at 176, total at 216.
function reported(Slot slot) pure returns (uint256) {
    uint256 word = Slot.unwrap(slot);
    return ((word & REFERENCE_MASK) >> 8) | ((word & PAID_MASK) << 136) | (word << 216);
}

/// @dev Only the counter survives, so that a claim number is never used twice, and the mark that
/// the slot was taken over, so that it is not taken over again.
function cleared(Slot slot) pure returns (Slot) {
    return Slot.wrap(Slot.unwrap(slot) & KEPT_MASK);
}

/// @dev Binds a leaf afresh. The amounts and the reference are in range: the caller has checked.
function bound(Slot slot, uint48 leafRef, uint256 leafTotal, uint256 leafBorne)
    pure
    returns (Slot)
{
    return Slot.wrap(
        Slot.unwrap(cleared(slot)) | leafTotal | (leafBorne << PAID_AT)
            | (uint256(leafRef) << REFERENCE_AT)
    );
}

/// @dev Opens the claim of a payer on a slot without an open one.
function locked(Slot slot, uint256 payer, uint16 claimCounter, uint32 until) pure returns (Slot) {
    return Slot.wrap(
        (Slot.unwrap(slot) & ~COUNTER_MASK) | (uint256(claimCounter) << COUNTER_AT)
            | (payer << PAYER_AT) | (uint256(until) << DEADLINE_AT)
    );
}

/// @dev Closes the open claim; with nothing settled the binding goes too, unless it is pinned.
function unlocked(Slot slot) pure returns (Slot) {
    if (settledPayers(slot) == 0 && !hasFlag(slot, PINNED)) return cleared(slot);
    return Slot.wrap(Slot.unwrap(slot) & ~LOCK_MASK);
}

function renewed(Slot slot, uint32 until) pure returns (Slot) {
    return Slot.wrap((Slot.unwrap(slot) & ~DEADLINE_MASK) | (uint256(until) << DEADLINE_AT));
}

/// @dev Closes the open claim with a payment; paid + amount does not pass the total, and the
/// payer's bit is not set: the caller has checked.
function settled(Slot slot, uint256 ownBit, uint256 amount) pure returns (Slot) {
    // Cannot carry out of its field: the sum is at most the total, which has as many bits.
    unchecked {
        return Slot.wrap(
            ((Slot.unwrap(slot) & ~LOCK_MASK) + (amount << PAID_AT))
                | (ownBit << SETTLED_AT)
        );
    }
}

function withFlags(Slot slot, uint8 added) pure returns (Slot) {
    return Slot.wrap(Slot.unwrap(slot) | (uint256(added) << FLAGS_AT));
}

function withoutFlags(Slot slot, uint8 removed) pure returns (Slot) {
    return Slot.wrap(Slot.unwrap(slot) & ~(uint256(removed) << FLAGS_AT));
}

/// @dev A predecessor's slot as its successor takes it over: an open claim has ended.
function inherited(Slot slot) pure returns (Slot) {
    if (isEmpty(slot)) return slot;
    if (openPayer(slot) != 0) slot = unlocked(slot);
    return withFlags(slot, MOVED);
}

/// @notice The bit of a payer, 1..64.
function payerBit(uint256 payer) pure returns (uint256) {
    return 1 << (payer - 1);
}

/// @notice The lowest payer of a mask of payers, 0 when it is empty.
function lowestPayer(uint256 payers) pure returns (uint256 payer) {
    while (payers != 0) {
        ++payer;
        if (payers & 1 != 0) return payer;
        payers >>= 1;
    }
    return 0;
}

/// @notice The reference of a leaf, 0 when a part is out of range and no leaf can be there.
function packReference(uint16 institution, uint32 sequence, uint16 leafIndex)
    pure
    returns (uint48)
{
    if (sequence > SEQUENCE_MAX || leafIndex > INDEX_MAX) return 0;
    return (uint48(institution) << 32) | (uint48(sequence) << 10) | leafIndex;
}
