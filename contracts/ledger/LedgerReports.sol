// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ALIAS, Slot, lowestPayer} from "../libraries/Slot.sol";
import {LedgerStorage} from "./LedgerStorage.sol";

/// @title How the ledger reports what became of an item
/// @dev The words of the events are specified in `IInvoiceLedger`.
abstract contract LedgerReports is LedgerStorage {
    function _claimHolder(Slot slot_) internal pure returns (uint256) {
        uint8 open = slot_.openPayer();
        return open == 0 ? 0 : open | (uint256(slot_.counter()) << 8);
    }

    /// @dev Who holds a bill that is bound to another leaf or under another key.
    function _boundHolder(Slot slot_, bytes32 invoiceKey) internal view returns (uint256) {
        Slot holder = slot_.hasFlag(ALIAS) ? _slots[_primaryKeys[invoiceKey]] : slot_;
        if (holder.openPayer() != 0) return _claimHolder(holder);
        return lowestPayer(holder.settledPayers());
    }

    /// @dev The detail word of an item that had its effect.
    function _detail(
        uint256 index,
        Call call_,
        uint8 payer,
        uint16 counter,
        Slot slot_,
        uint256 value,
        uint16 version
    ) internal pure returns (uint256) {
        return index | (uint256(call_) << 8) | (uint256(payer) << 24) | (uint256(counter) << 32)
            | (uint256(slot_.leafReference()) << 72) | (value << 120) | (uint256(version) << 160)
            | (slot_.paid() << 176) | (slot_.total() << 216);
    }

    /// @dev Reports an item of a batch call that had no effect.
    /// @param leafRef leaf named by the item, or 0 for the leaf to which the slot is bound
    function _unchanged(
        uint256 index,
        Call call_,
        Outcome outcome,
        bytes32 invoiceKey,
        uint8 payer,
        uint16 counter,
        uint256 holder,
        uint48 leafRef
    ) internal {
        Slot slot_ = _slots[invoiceKey];
        if (leafRef == 0) leafRef = slot_.leafReference();
        emit Unchanged(
            invoiceKey,
            index | (uint256(call_) << 8) | (uint256(outcome) << 16) | (uint256(payer) << 24)
                | (uint256(counter) << 32) | (holder << 48) | (uint256(leafRef) << 72)
                | (slot_.paid() << 176) | (slot_.total() << 216)
        );
    }

    /// @dev Ends a single call that had no effect: reverts, except for a repetition.
    function _refuse(
        Call call_,
        Outcome outcome,
        bytes32 invoiceKey,
        uint8 payer,
        uint16 counter,
        uint256 holder,
        uint48 leafRef
    ) internal {
        if (outcome != Outcome.Repeated) {
            revert LedgerRefused(outcome, invoiceKey, uint8(holder), uint16(holder >> 8));
        }
        _unchanged(0, call_, outcome, invoiceKey, payer, counter, holder, leafRef);
    }
}
