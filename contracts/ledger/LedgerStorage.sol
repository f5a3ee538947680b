// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {ALIAS, INDEX_MAX, Slot, packReference} from "../libraries/Slot.sol";

/// @title What the ledger stores, and how a key, a leaf and a batch are found in it
/// @dev The only state of the contract: three mappings, in this order.
abstract contract LedgerStorage is IInvoiceLedger {
    uint256 public constant MAX_BATCH_LEAVES = INDEX_MAX + 1;

    /// @inheritdoc IInvoiceLedger
    IRegistry public immutable registry;

    /// @dev One word. A struct, so that a call finds its place once and then reads and writes it.
    struct Entry {
        Slot slot;
    }

    mapping(bytes32 invoiceKey => Entry) internal _slots;
    /// @dev Of a key whose slot has the flag `alias`: the key of the bill whose second key it is.
    /// The alias lives while that bill is bound to the same leaf, and means nothing afterwards.
    mapping(bytes32 secondKey => bytes32 invoiceKey) internal _primaryKeys;
    mapping(uint256 institutionAndSequence => bytes32) internal _heads;

    constructor(IRegistry registry_) {
        registry = registry_;
    }

    /// @dev The slot of a key; an alias whose bill is no longer bound to that leaf is as cleared.
    function _load(bytes32 invoiceKey) internal view returns (Slot) {
        return _load(_slots[invoiceKey], invoiceKey);
    }

    function _load(Entry storage entry, bytes32 invoiceKey) internal view returns (Slot slot_) {
        slot_ = entry.slot;
        if (slot_.hasFlag(ALIAS)) {
            Slot primary = _slots[_primaryKeys[invoiceKey]].slot;
            if (primary.leafReference() != slot_.leafReference()) return slot_.cleared();
        }
    }

    /// @dev Binds the leaf in memory and marks its second key in storage.
    function _bind(Slot slot_, uint48 leafRef, Leaf calldata leaf) internal returns (Slot) {
        if (leaf.secondKey != 0) {
            _slots[leaf.secondKey].slot =
                _slots[leaf.secondKey].slot.bound(leafRef, 0, 0).withFlags(ALIAS);
            _primaryKeys[leaf.secondKey] = leaf.invoiceKey;
        }
        return slot_.bound(leafRef, leaf.total, leaf.borne);
    }

    /// @dev The code of the batch's issuer when the reference opens its stored head, else zero.
    function _open(BatchRef calldata batch) internal view returns (bytes16) {
        bytes32 stored = _heads[_place(batch.institution, batch.sequence)];
        if (stored == 0 || stored != Commitments.head(batch)) return 0;
        return registry.institutionCode(batch.institution);
    }

    function _openAll(BatchRef[] calldata batches) internal view returns (bytes16[] memory codes) {
        codes = new bytes16[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) codes[i] = _open(batches[i]);
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
