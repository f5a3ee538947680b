// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";

/// @title The calls of the protocol that this version does not offer
/// @dev Declared so that a caller learns it from an error and not from a missing function.
abstract contract LaterCalls is IInvoiceLedger {
    /// @inheritdoc IInvoiceLedger
    function supplement(SupplementItem calldata) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function recover(bytes32, uint64, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function exchangeToPaper(BatchRef calldata, LeafProof calldata, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function returnPaper(BatchRef calldata, LeafProof calldata, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function quarantine(uint16, uint32, uint32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function lift(uint16, uint32, uint32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function retire() external pure {
        revert NotOffered();
    }
}
