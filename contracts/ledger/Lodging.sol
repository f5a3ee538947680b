// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {ALIAS, Slot, lowestPayer, packReference, payerBit} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title Lodging: a payer opens a claim on a bill
/// @dev Specified in `IInvoiceLedger`; one private function serves the single and the batch call.
abstract contract Lodging is LedgerChecks {
    /// @inheritdoc IInvoiceLedger
    function lodge(BatchRef calldata batch, LodgeItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) =
            item.batchIndex != 0 ? (Outcome.BadBatch, 0) : _lodge(0, who, batch, _open(batch), item);
        if (outcome == Outcome.Done) return;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        _refuse(
            Call.Lodge, outcome, item.leaf.invoiceKey, who.payer, item.counter, holder, leafRef
        );
    }

    /// @inheritdoc IInvoiceLedger
    function lodgeBatch(BatchRef[] calldata batches, LodgeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            LodgeItem calldata item = items[i];
            Outcome outcome = Outcome.BadBatch;
            uint256 holder = 0;
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                (outcome, holder) = _lodge(i, who, batch, codes[item.batchIndex], item);
                if (outcome == Outcome.Done) continue;
                leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
            }
            _unchanged(
                i,
                Call.Lodge,
                outcome,
                item.leaf.invoiceKey,
                who.payer,
                item.counter,
                holder,
                leafRef
            );
        }
    }

    function _lodge(
        uint256 index,
        IRegistry.PayerContext memory who,
        BatchRef calldata batch,
        bytes16 code,
        LodgeItem calldata item
    ) private returns (Outcome outcome, uint256 holder) {
        Leaf calldata leaf = item.leaf;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        Slot slot_ = _load(leaf.invoiceKey);
        (outcome, holder) = _lodgeBar(slot_, who, leafRef, item);
        if (outcome != Outcome.Done) return (outcome, holder);
        bool binds = slot_.leafReference() == 0;
        if (binds && _isSecondKeyBound(leaf)) return (Outcome.SecondKeyBound, 0);
        outcome = _proofBar(batch, code, leaf, item.leafIndex, item.proof);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (binds) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.locked(who.payer, item.counter, item.deadline);
        _slots[leaf.invoiceKey] = slot_;
        emit Lodged(
            leaf.invoiceKey,
            _detail(index, Call.Lodge, who.payer, item.counter, slot_, item.deadline, 0)
        );
        return (Outcome.Done, 0);
    }

    /// @dev The cheap checks of a lodge, in the order of the specification.
    function _lodgeBar(
        Slot slot_,
        IRegistry.PayerContext memory who,
        uint48 leafRef,
        LodgeItem calldata item
    ) private view returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        uint8 open = slot_.openPayer();
        if (
            open == who.payer && slot_.counter() == item.counter
                && slot_.leafReference() == leafRef
        ) return (Outcome.Repeated, 0);
        if (who.paused) return (Outcome.Paused, 0);
        if (open != 0) return (Outcome.Locked, _claimHolder(slot_));
        uint64 settled = slot_.settledPayers();
        uint64 own = payerBit(who.payer);
        bool isBasic = who.basicPayers & own != 0;
        if (settled != 0) {
            if (settled & own != 0) return (Outcome.SettledByPayer, who.payer);
            if (isBasic && settled & who.basicPayers != 0) {
                return (Outcome.SettledByBasic, lowestPayer(settled & who.basicPayers));
            }
        }
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        uint48 present = slot_.leafReference();
        if (present != 0 && (present != leafRef || slot_.hasFlag(ALIAS))) {
            return (Outcome.BoundElsewhere, _boundHolder(slot_, item.leaf.invoiceKey));
        }
        if (uint256(slot_.counter()) + 1 != item.counter) return (Outcome.Stale, 0);
        outcome = _leafBar(item.leaf);
        if (outcome == Outcome.Done && isBasic && item.leaf.kind == _KIND_SETTLED) {
            outcome = Outcome.KindNotForBasic;
        }
        if (outcome != Outcome.Done) return (outcome, 0);
        (uint256 total, uint256 paid) = present == 0
            ? (uint256(item.leaf.total), uint256(item.leaf.borne))
            : (slot_.total(), slot_.paid());
        if (paid >= total) return (Outcome.NothingLeft, lowestPayer(settled));
        return (_isDeadline(item.deadline) ? Outcome.Done : Outcome.BadDeadline, 0);
    }
}
