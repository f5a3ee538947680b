// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {ALIAS, INDEX_MAX, Slot, packReference} from "../libraries/Slot.sol";

/// @title What the ledger stores, and how a key, a leaf and a batch are found in it
/// @dev The only state of the contract: four mappings, in this order. What a successor has not
/// written it reads from its predecessor, which can no longer change once the successor may write.
abstract contract LedgerStorage is IInvoiceLedger {
    uint256 public constant MAX_BATCH_LEAVES = INDEX_MAX + 1;

    bytes32 private constant _QUARANTINED = bytes32(uint256(1));

    /// @inheritdoc IInvoiceLedger
    IRegistry public immutable registry;

    /// @inheritdoc IInvoiceLedger
    IInvoiceLedger public immutable predecessor;

    /// @inheritdoc IInvoiceLedger
    uint8 public immutable generation;

    /// @dev One word. A struct, so that a call finds its place once and then reads and writes it.
    struct Entry {
        Slot slot;
    }

    mapping(bytes32 invoiceKey => Entry) internal _slots;
    /// @dev Of a key whose slot has the flag `alias`: the key of the bill whose second key it is.
    /// The alias lives while that bill is bound to the same leaf, and means nothing afterwards.
    mapping(bytes32 secondKey => bytes32 invoiceKey) internal _primaryKeys;
    mapping(uint256 institutionAndSequence => bytes32) internal _heads;
    /// @dev Digest of payer, invoice key and amount.
    mapping(bytes32 recoveryNumber => bytes32) internal _recoveries;

    constructor(IRegistry registry_, IInvoiceLedger predecessor_) {
        registry = registry_;
        predecessor = predecessor_;
        if (address(predecessor_) == address(0)) {
            generation = 1;
        } else {
            if (address(predecessor_.registry()) != address(registry_)) {
                revert LedgerPredecessorForeign(address(predecessor_));
            }
            generation = predecessor_.generation() + 1;
        }
    }

    function _isSuccessor() internal view returns (bool) {
        return address(predecessor) != address(0);
    }

    /// @dev The slot of a key as it is stored here or was stored in the predecessor.
    function _read(bytes32 invoiceKey) internal view returns (Slot) {
        return _read(_slots[invoiceKey], invoiceKey);
    }

    function _read(Entry storage entry, bytes32 invoiceKey) internal view returns (Slot slot_) {
        slot_ = entry.slot;
        if (slot_.isEmpty() && _isSuccessor()) {
            return Slot.wrap(predecessor.slot(invoiceKey)).inherited();
        }
    }

    /// @dev As `_read`; an alias whose bill is no longer bound to that leaf is as cleared.
    function _load(bytes32 invoiceKey) internal view returns (Slot) {
        return _load(_slots[invoiceKey], invoiceKey);
    }

    function _load(Entry storage entry, bytes32 invoiceKey) internal view returns (Slot slot_) {
        slot_ = _read(entry, invoiceKey);
        if (slot_.hasFlag(ALIAS)) {
            Slot primary = _read(_primaryKey(invoiceKey));
            if (primary.leafReference() != slot_.leafReference()) return slot_.cleared();
        }
    }

    /// @dev A second key that was marked here has its own entry; else the predecessor's holds.
    function _primaryKey(bytes32 secondKey) internal view returns (bytes32 invoiceKey) {
        invoiceKey = _primaryKeys[secondKey];
        if (invoiceKey == 0 && _isSuccessor()) return predecessor.primaryKey(secondKey);
    }

    function _head(uint16 institution, uint32 sequence) internal view returns (bytes32 head_) {
        head_ = _heads[_place(institution, sequence)];
        if (head_ == 0 && _isSuccessor()) return predecessor.head(institution, sequence);
    }

    function _recovery(bytes32 recoveryNumber) internal view returns (bytes32 digest) {
        digest = _recoveries[recoveryNumber];
        if (digest == 0 && _isSuccessor()) return predecessor.recoveryDigest(recoveryNumber);
    }

    /// @dev Binds the leaf in memory and marks its second key in storage.
    function _bind(Slot slot_, uint48 leafRef, Leaf calldata leaf) internal returns (Slot) {
        _markSecondKey(leafRef, leaf);
        return slot_.bound(leafRef, leaf.total, leaf.borne);
    }

    function _markSecondKey(uint48 leafRef, Leaf calldata leaf) internal {
        if (leaf.secondKey == 0) return;
        _slots[leaf.secondKey].slot = _read(leaf.secondKey).bound(leafRef, 0, 0).withFlags(ALIAS);
        _primaryKeys[leaf.secondKey] = leaf.invoiceKey;
    }

    /// @dev What a batch reference opens: the code of the issuer in the high half and, in bit 0,
    /// whether the batch is quarantined; zero when it does not open the stored head.
    function _open(BatchRef calldata batch) internal view returns (bytes32) {
        bytes32 stored = _head(batch.institution, batch.sequence);
        if (stored == 0 || stored != Commitments.head(batch)) return 0;
        (bytes16 code, bool quarantined) =
            registry.batchContext(batch.institution, batch.sequence);
        return quarantined ? bytes32(code) | _QUARANTINED : bytes32(code);
    }

    function _openAll(BatchRef[] calldata batches) internal view returns (bytes32[] memory opened) {
        opened = new bytes32[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) opened[i] = _open(batches[i]);
    }

    function _isQuarantined(bytes32 opened) internal pure returns (bool) {
        return opened & _QUARANTINED != 0;
    }

    function _place(uint16 institution, uint32 sequence) internal pure returns (uint256) {
        return (uint256(institution) << 32) | sequence;
    }

    function _reference(BatchRef calldata batch, LeafProof calldata item)
        internal
        pure
        returns (uint48)
    {
        return packReference(batch.institution, batch.sequence, item.leafIndex);
    }
}
