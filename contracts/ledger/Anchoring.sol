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
        (uint16 institution, IRegistry.AnchorBar bar) = registry.anchorContext(msg.sender);
        if (institution == 0) revert LedgerNotInstitution(msg.sender);
        if (
            sequence == 0 || sequence > SEQUENCE_MAX || size == 0 || size > MAX_BATCH_LEAVES
                || root == 0
        ) revert LedgerAnchorInvalid(sequence, size);
        uint256 place = _place(institution, sequence);
        bytes32 present = _heads[place];
        bytes32 next = Commitments.head(institution, sequence, previousHead, root, size);
        AnchorOutcome outcome = _anchorOutcome(place, present, next, previousHead, bar);
        if (outcome == AnchorOutcome.Anchored) {
            _heads[place] = next;
            emit Anchored(institution, sequence, msg.sender, root, previousHead, next, size);
        } else {
            emit AnchorUnchanged(
                institution, sequence, msg.sender, outcome, root, previousHead, present, size
            );
        }
    }

    function _anchorOutcome(
        uint256 place,
        bytes32 present,
        bytes32 next,
        bytes32 previousHead,
        IRegistry.AnchorBar bar
    ) private view returns (AnchorOutcome) {
        if (present == next) return AnchorOutcome.Repeated;
        if (present != 0) return AnchorOutcome.Conflict;
        if (bar == IRegistry.AnchorBar.Paused) return AnchorOutcome.Paused;
        if (bar == IRegistry.AnchorBar.Suspended) return AnchorOutcome.Suspended;
        if (bar == IRegistry.AnchorBar.BeforeAgreement) return AnchorOutcome.BeforeAgreement;
        if (bar == IRegistry.AnchorBar.AfterGrace) return AnchorOutcome.AfterGrace;
        // Nothing is ever stored at sequence 0, so the first batch follows the zero head; and a
        // later one that names the zero head follows nothing.
        bool first = uint32(place) == 1;
        if (previousHead != _heads[place - 1] || (previousHead == 0) != first) {
            return AnchorOutcome.NotNext;
        }
        return AnchorOutcome.Anchored;
    }
}
