// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {InclusionProof} from "../libraries/InclusionProof.sol";
import {ALIAS, Slot} from "../libraries/Slot.sol";
import {LedgerStorage} from "./LedgerStorage.sol";

/// @title What can be read and computed without a transaction
/// @dev Specified in `IInvoiceLedger`.
abstract contract LedgerViews is LedgerStorage {
    /// @inheritdoc IInvoiceLedger
    function slot(bytes32 invoiceKey) external view returns (uint256) {
        return Slot.unwrap(_read(invoiceKey));
    }

    /// @inheritdoc IInvoiceLedger
    function claimState(bytes32 invoiceKey) external view returns (ClaimState memory) {
        Slot slot_ = _read(invoiceKey);
        return ClaimState({
            total: uint64(slot_.total()),
            paid: uint64(slot_.paid()),
            leafReference: slot_.leafReference(),
            deadline: slot_.deadline(),
            openPayer: slot_.openPayer(),
            counter: slot_.counter(),
            flags: slot_.flags(),
            settledPayers: uint64(slot_.settledPayers()),
            primaryKey: slot_.hasFlag(ALIAS) ? _primaryKey(invoiceKey) : bytes32(0)
        });
    }

    /// @inheritdoc IInvoiceLedger
    function primaryKey(bytes32 secondKey) external view returns (bytes32) {
        return _primaryKey(secondKey);
    }

    /// @inheritdoc IInvoiceLedger
    function recoveryDigest(bytes32 recoveryNumber) external view returns (bytes32) {
        return _recovery(recoveryNumber);
    }

    /// @inheritdoc IInvoiceLedger
    function head(uint16 institution, uint32 sequence) external view returns (bytes32) {
        return _head(institution, sequence);
    }

    /// @inheritdoc IInvoiceLedger
    function lastSequence(uint16 institution) external view returns (uint32) {
        // Invariant: `low` is anchored (or 0), `high` is not.
        uint32 low = 0;
        uint32 high = 1;
        while (_head(institution, high) != 0) (low, high) = (high, high * 2);
        while (high - low > 1) {
            uint32 middle = (low + high) / 2;
            if (_head(institution, middle) != 0) low = middle;
            else high = middle;
        }
        return low;
    }

    /// @inheritdoc IInvoiceLedger
    function computeHead(BatchRef calldata batch) external pure returns (bytes32) {
        return Commitments.head(batch);
    }

    /// @inheritdoc IInvoiceLedger
    function computeLeafHash(Leaf calldata leaf) external pure returns (bytes32) {
        return Commitments.leafHash(leaf);
    }

    /// @inheritdoc IInvoiceLedger
    function isIncluded(
        bytes32 leafHash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool) {
        return InclusionProof.isIncluded(leafHash, leafIndex, treeSize, proof, root);
    }
}
