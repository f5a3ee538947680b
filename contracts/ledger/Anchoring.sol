// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {SEQUENCE_MAX} from "../libraries/Slot.sol";
import {LedgerStorage} from "./LedgerStorage.sol";

/// @title Anchoring: the chain of batch heads of each institution
/// @dev Specified in `IInvoiceLedger`.
abstract contract Anchoring is LedgerStorage {
    /// @inheritdoc IInvoiceLedger
    function anchor(uint32 sequence, bytes32 root, uint16 size, bytes32 previousHead) external {
        (uint16 institution, IRegistry.AnchorBar bar, uint8 inForce) =
            registry.anchorContext(msg.sender);
        if (institution == 0) revert LedgerNotInstitution(msg.sender);
        if (
            sequence == 0 || sequence > SEQUENCE_MAX || size == 0 || size > MAX_BATCH_LEAVES
                || root == 0
        ) revert LedgerAnchorInvalid(sequence, size);
        bytes32 present = _head(institution, sequence);
        bytes32 next = Commitments.head(institution, sequence, previousHead, root, size);
        AnchorOutcome outcome;
        if (present == next) outcome = AnchorOutcome.Repeated;
        else if (present != 0) outcome = AnchorOutcome.Conflict;
        else if (inForce != generation) outcome = AnchorOutcome.Retired;
        else outcome = _nextOutcome(institution, sequence, previousHead, bar);
        if (outcome == AnchorOutcome.Anchored) {
            _heads[_place(institution, sequence)] = next;
            emit Anchored(institution, sequence, msg.sender, root, previousHead, next, size);
        } else {
            emit AnchorUnchanged(
                institution, sequence, msg.sender, outcome, root, previousHead, present, size
            );
        }
    }

    function _nextOutcome(
        uint16 institution,
        uint32 sequence,
        bytes32 previousHead,
        IRegistry.AnchorBar bar
    ) private view returns (AnchorOutcome) {
        if (bar == IRegistry.AnchorBar.Paused) return AnchorOutcome.Paused;
        if (bar == IRegistry.AnchorBar.Suspended) return AnchorOutcome.Suspended;
        if (bar == IRegistry.AnchorBar.BeforeAgreement) return AnchorOutcome.BeforeAgreement;
        if (bar == IRegistry.AnchorBar.AfterGrace) return AnchorOutcome.AfterGrace;
        // Nothing is ever stored at sequence 0, so the first batch follows the zero head; and a
        // later one that names the zero head follows nothing.
        bool isFirst = sequence == 1;
        if (
            previousHead != _head(institution, sequence - 1) || (previousHead == 0) != isFirst
        ) {
            return AnchorOutcome.NotNext;
        }
        return AnchorOutcome.Anchored;
    }
}
