// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {ALIAS, Slot, lowestPayer, packReference} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title Lodging: a payer opens a claim on a bill
/// @dev Specified in `IInvoiceLedger`; one private function serves the single and the batch call.
abstract contract Lodging is LedgerChecks {
    /// @inheritdoc IInvoiceLedger
    function lodge(BatchRef calldata batch, LodgeItem calldata item) external {
        Caller memory who = _requirePayer();
        uint256 bar = item.batchIndex != 0
            ? uint256(Outcome.BadBatch)
            : _lodge(who, batch, _open(batch), item);
        if (bar == 0) return;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        _refuse(Call.Lodge, bar, item.leaf.invoiceKey, who.payer, item.counter, leafRef);
    }

    /// @inheritdoc IInvoiceLedger
    function lodgeBatch(BatchRef[] calldata batches, LodgeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        Caller memory who = _requirePayer();
        bytes32[] memory opened = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            LodgeItem calldata item = items[i];
            uint256 bar = uint256(Outcome.BadBatch);
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                bar = _lodge(who, batch, opened[item.batchIndex], item);
                if (bar == 0) continue;
                leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
            }
            bytes32 key = item.leaf.invoiceKey;
            _unchanged(who.item, Call.Lodge, bar, key, who.payer, item.counter, leafRef);
        }
    }

    function _lodge(
        Caller memory who,
        BatchRef calldata batch,
        bytes32 opened,
        LodgeItem calldata item
    ) private returns (uint256 bar) {
        Leaf calldata leaf = item.leaf;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        Entry storage entry = _slots[leaf.invoiceKey];
        Slot slot_ = _load(entry, leaf.invoiceKey);
        bar = _lodgeBar(slot_, who, leafRef, item);
        if (bar != 0) return bar;
        bool binds = slot_.leafReference() == 0;
        if (_isSecondKeyBound(leaf)) return uint256(Outcome.SecondKeyBound);
        if (_isQuarantined(opened)) return uint256(Outcome.Quarantined);
        bar = _proofBar(batch, opened, leaf, item.leafIndex, item.proof);
        if (bar != 0) return bar;
        if (binds) slot_ = _bind(slot_, leafRef, leaf);
        // A ruling may have freed the second key of a pinned bill; under a claim it is held again.
        else _markSecondKey(leafRef, leaf);
        uint32 deadline = item.deadline;
        slot_ = slot_.locked(who.payer, item.counter, deadline);
        entry.slot = slot_;
        emit Lodged(
            leaf.invoiceKey,
            _detail(who.item, Call.Lodge, who.payer, item.counter, slot_, deadline, 0)
        );
        return 0;
    }

    /// @dev The cheap checks of a lodge, in the order of the specification.
    function _lodgeBar(
        Slot slot_,
        Caller memory who,
        uint48 leafRef,
        LodgeItem calldata item
    ) private view returns (uint256) {
        if (who.bar != 0) return who.bar;
        uint48 present = slot_.leafReference();
        if (slot_.openPayer() != 0) {
            if (present == leafRef && slot_.isClaim(who.payer, item.counter)) {
                return uint256(Outcome.Repeated);
            }
            if (who.paused) return uint256(Outcome.Paused);
            return _bar(Outcome.Locked, _claimHolder(slot_));
        }
        if (who.paused) return uint256(Outcome.Paused);
        uint256 settled = slot_.settledPayers();
        if (settled & who.rivals != 0) {
            if (settled & who.own != 0) return _bar(Outcome.SettledByPayer, who.payer);
            return _bar(Outcome.SettledByBasic, lowestPayer(settled & who.rivals));
        }
        if (slot_.isWithdrawn()) return _stateBar(slot_);
        if (present != 0 && (present != leafRef || slot_.hasFlag(ALIAS))) {
            return _bar(Outcome.BoundElsewhere, _boundHolder(slot_, item.leaf.invoiceKey));
        }
        if (uint256(slot_.counter()) + 1 != item.counter) return uint256(Outcome.Stale);
        uint256 bar = _leafBar(item.leaf);
        if (bar != 0) return bar;
        if (who.isBasic && item.leaf.kind == _KIND_SETTLED) return uint256(Outcome.KindNotForBasic);
        bool isNothingLeft =
            present == 0 ? item.leaf.borne == item.leaf.total : slot_.left() == 0;
        if (isNothingLeft) return _bar(Outcome.NothingLeft, lowestPayer(settled));
        return _isDeadline(item.deadline) ? 0 : uint256(Outcome.BadDeadline);
    }
}
