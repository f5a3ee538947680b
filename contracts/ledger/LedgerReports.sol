// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ALIAS, Slot, lowestPayer} from "../libraries/Slot.sol";
import {LedgerStorage} from "./LedgerStorage.sol";

/// @title How the ledger reports what became of an item
/// @dev The words of the events are specified in `IInvoiceLedger`.
abstract contract LedgerReports is LedgerStorage {
    /// @dev What bars an item, as one word: 0 when nothing does (`Done`), else the outcome in the
    /// low 8 bits and above it the holder, payer | counter << 8.
    function _bar(Outcome outcome, uint256 holder) internal pure returns (uint256) {
        return uint256(outcome) | (holder << 8);
    }

    function _claimHolder(Slot slot_) internal pure returns (uint256) {
        uint8 open = slot_.openPayer();
        return open == 0 ? 0 : open | (uint256(slot_.counter()) << 8);
    }

    /// @dev Who holds a bill that is bound to another leaf or under another key.
    function _boundHolder(Slot slot_, bytes32 invoiceKey) internal view returns (uint256) {
        Slot holder = slot_.hasFlag(ALIAS) ? _read(_primaryKey(invoiceKey)) : slot_;
        if (holder.openPayer() != 0) return _claimHolder(holder);
        return lowestPayer(holder.settledPayers());
    }

    /// @dev The detail word of an item that had its effect.
    function _detail(
        uint256 index,
        Call call_,
        uint256 payer,
        uint256 counter,
        Slot slot_,
        uint256 value,
        uint256 version
    ) internal pure returns (uint256) {
        return index | (uint256(call_) << 8) | (payer << 24) | (counter << 32) | (value << 120)
            | (version << 160) | slot_.reported();
    }

    /// @dev Reports an item of a batch call that had no effect.
    /// @param leafRef leaf named by the item, or 0 for the leaf to which the slot is bound
    function _unchanged(
        uint256 index,
        Call call_,
        uint256 bar,
        bytes32 invoiceKey,
        uint256 payer,
        uint256 counter,
        uint48 leafRef
    ) internal {
        Slot slot_ = _read(invoiceKey);
        if (leafRef == 0) leafRef = slot_.leafReference();
        emit Unchanged(
            invoiceKey,
            index | (uint256(call_) << 8) | ((bar & 0xff) << 16) | (payer << 24)
                | (counter << 32) | ((bar >> 8) << 48) | (uint256(leafRef) << 72)
                | (slot_.paid() << 176) | (slot_.total() << 216)
        );
    }

    /// @dev Ends a single call that had no effect: reverts, except for a repetition.
    function _refuse(
        Call call_,
        uint256 bar,
        bytes32 invoiceKey,
        uint256 payer,
        uint256 counter,
        uint48 leafRef
    ) internal {
        if (bar != uint256(Outcome.Repeated)) {
            revert LedgerRefused(
                Outcome(bar & 0xff), invoiceKey, uint8(bar >> 8), uint16(bar >> 16)
            );
        }
        _unchanged(0, call_, bar, invoiceKey, payer, counter, leafRef);
    }
}
