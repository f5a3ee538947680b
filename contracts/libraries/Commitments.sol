// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";

/// @title The bytes that are hashed: batch leaf and batch head, format version 1
/// @dev Specified in `IInvoiceLedger`; the same bytes as the off-chain verifier's.
library Commitments {
    /// @dev The prefix of leaf hashes, 0x00, and the leaf's first byte, the format.
    bytes2 private constant _LEAF_PREFIX_AND_FORMAT = 0x0001;
    bytes14 private constant _HEAD_TAG = "yichu-batch/1";

    function leafHash(IInvoiceLedger.Leaf calldata leaf) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked(
                _LEAF_PREFIX_AND_FORMAT,
                leaf.institutionCode,
                leaf.kind,
                leaf.keyVersion,
                leaf.invoiceKey,
                leaf.secondKey,
                leaf.fingerprint,
                leaf.total,
                leaf.borne
            )
        );
    }

    function head(
        uint16 institution,
        uint32 sequence,
        bytes32 previousHead,
        bytes32 root,
        uint16 size
    ) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked(_HEAD_TAG, institution, sequence, previousHead, root, size)
        );
    }

    function head(IInvoiceLedger.BatchRef calldata batch) internal pure returns (bytes32) {
        return head(
            batch.institution, batch.sequence, batch.previousHead, batch.root, batch.size
        );
    }
}
