// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {
    ALIAS,
    IS_PAPER,
    ON_PAPER,
    PINNED,
    REVERSED,
    Slot,
    VOID
} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title What an institution says of its own bills: supersede, void, reverse, exchange, return
/// @dev Specified in `IInvoiceLedger`; one private function serves each single and batch call.
abstract contract IssuerCalls is LedgerChecks {
    /// @inheritdoc IInvoiceLedger
    function supersede(BatchRef[] calldata batches, SupersedeItem calldata item) external {
        _requireSize(1, batches.length);
        Caller memory who = _requireIssuer();
        uint256 bar = _supersede(who, batches, _openAll(batches), item);
        if (bar == 0) return;
        _refuse(Call.Supersede, bar, item.to.leaf.invoiceKey, 0, 0, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function supersedeBatch(BatchRef[] calldata batches, SupersedeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        Caller memory who = _requireIssuer();
        bytes32[] memory opened = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            uint256 bar = _supersede(who, batches, opened, items[i]);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Supersede, bar, items[i].to.leaf.invoiceKey, 0, 0, 0);
        }
    }

    function _supersede(
        Caller memory who,
        BatchRef[] calldata batches,
        bytes32[] memory opened,
        SupersedeItem calldata item
    ) private returns (uint256 bar) {
        if (who.bar != 0) return who.bar;
        if (item.from.batchIndex >= batches.length || item.to.batchIndex >= batches.length) {
            return uint256(Outcome.BadBatch);
        }
        uint48 from = _reference(batches[item.from.batchIndex], item.from);
        uint48 to = _reference(batches[item.to.batchIndex], item.to);
        Slot slot_ = _load(item.to.leaf.invoiceKey);
        bar = _supersedeBar(slot_, who, from, to, item);
        if (bar != 0) return bar;
        uint256 place = item.from.batchIndex;
        bar = _ownProofBar(who, batches[place], opened[place], item.from);
        if (bar != 0) return bar;
        place = item.to.batchIndex;
        if (_isQuarantined(opened[place])) return uint256(Outcome.Quarantined);
        bar = _ownProofBar(who, batches[place], opened[place], item.to);
        if (bar != 0) return bar;
        slot_ = _bind(slot_, to, item.to.leaf).withFlags(PINNED);
        _slots[item.to.leaf.invoiceKey].slot = slot_;
        emit Superseded(
            item.to.leaf.invoiceKey, _detail(who.item, Call.Supersede, 0, 0, slot_, 0, 0), from
        );
        return 0;
    }

    function _supersedeBar(
        Slot slot_,
        Caller memory who,
        uint48 from,
        uint48 to,
        SupersedeItem calldata item
    ) private view returns (uint256) {
        Leaf calldata leaf = item.to.leaf;
        if (item.from.leaf.invoiceKey != leaf.invoiceKey) return uint256(Outcome.BadLeaf);
        uint48 present = slot_.leafReference();
        if (present == to && slot_.hasFlag(PINNED)) return uint256(Outcome.Repeated);
        if (who.paused) return uint256(Outcome.Paused);
        uint256 bar = _busyBar(slot_);
        if (bar != 0) return bar;
        bar = _stateBar(slot_);
        if (bar != 0) return bar;
        if (present != 0 && (present != from || slot_.hasFlag(ALIAS))) {
            return _bar(Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
        }
        bar = _leafBar(item.from.leaf);
        if (bar == 0) bar = _leafBar(leaf);
        if (bar != 0) return bar;
        if (from >> 32 != to >> 32 || to <= from) return uint256(Outcome.NotLater);
        return _isSecondKeyBound(leaf) ? uint256(Outcome.SecondKeyBound) : 0;
    }

    /// @inheritdoc IInvoiceLedger
    function void(BatchRef calldata batch, LeafProof calldata item) external {
        _withdrawOne(Call.Void, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function reverse(BatchRef calldata batch, LeafProof calldata item) external {
        _withdrawOne(Call.Reverse, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function exchangeToPaper(BatchRef calldata batch, PaperItem calldata item) external {
        _paperOne(Call.Exchange, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function returnPaper(BatchRef calldata batch, PaperItem calldata item) external {
        _paperOne(Call.Return, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function voidBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Void, batches, items);
    }

    /// @inheritdoc IInvoiceLedger
    function reverseBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Reverse, batches, items);
    }

    /// @inheritdoc IInvoiceLedger
    function exchangeToPaperBatch(BatchRef[] calldata batches, PaperItem[] calldata items)
        external
    {
        _paperAll(Call.Exchange, batches, items);
    }

    /// @inheritdoc IInvoiceLedger
    function returnPaperBatch(BatchRef[] calldata batches, PaperItem[] calldata items) external {
        _paperAll(Call.Return, batches, items);
    }

    function _withdrawOne(Call call_, BatchRef calldata batch, LeafProof calldata item) private {
        _one(call_, batch, item, 0);
    }

    function _paperOne(Call call_, BatchRef calldata batch, PaperItem calldata item) private {
        _one(call_, batch, item.bill, item.paperKey);
    }

    function _withdrawAll(
        Call call_,
        BatchRef[] calldata batches,
        LeafProof[] calldata items
    ) private {
        _requireSize(items.length, batches.length);
        Caller memory who = _requireIssuer();
        bytes32[] memory opened = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            _each(call_, who, batches, opened, items[i], 0);
        }
    }

    function _paperAll(
        Call call_,
        BatchRef[] calldata batches,
        PaperItem[] calldata items
    ) private {
        _requireSize(items.length, batches.length);
        Caller memory who = _requireIssuer();
        bytes32[] memory opened = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            _each(call_, who, batches, opened, items[i].bill, items[i].paperKey);
        }
    }

    /// @dev A single call that names one leaf; `paperKey` is 0 for void and reverse.
    function _one(
        Call call_,
        BatchRef calldata batch,
        LeafProof calldata item,
        bytes32 paperKey
    ) private {
        Caller memory who = _requireIssuer();
        uint256 bar = item.batchIndex != 0
            ? uint256(Outcome.BadBatch)
            : _apply(call_, who, batch, _open(batch), item, paperKey);
        if (bar == 0) return;
        _refuse(call_, bar, item.leaf.invoiceKey, 0, 0, _reference(batch, item));
    }

    /// @dev An item of a batch call that names one leaf.
    function _each(
        Call call_,
        Caller memory who,
        BatchRef[] calldata batches,
        bytes32[] memory opened,
        LeafProof calldata item,
        bytes32 paperKey
    ) private {
        uint256 bar = uint256(Outcome.BadBatch);
        uint48 leafRef = 0;
        if (item.batchIndex < batches.length) {
            BatchRef calldata batch = batches[item.batchIndex];
            bar = _apply(call_, who, batch, opened[item.batchIndex], item, paperKey);
            if (bar == 0) return;
            leafRef = _reference(batch, item);
        }
        _unchanged(who.item, call_, bar, item.leaf.invoiceKey, 0, 0, leafRef);
    }

    function _apply(
        Call call_,
        Caller memory who,
        BatchRef calldata batch,
        bytes32 opened,
        LeafProof calldata item,
        bytes32 paperKey
    ) private returns (uint256 bar) {
        if (who.bar != 0) return who.bar;
        Leaf calldata leaf = item.leaf;
        uint48 leafRef = _reference(batch, item);
        Slot slot_ = _load(leaf.invoiceKey);
        if (call_ == Call.Exchange) bar = _exchangeBar(slot_, leafRef, leaf, paperKey, opened);
        else if (call_ == Call.Return) bar = _returnBar(slot_, leafRef, leaf, paperKey);
        else bar = _withdrawalBar(slot_, leafRef, leaf, call_ == Call.Void ? VOID : REVERSED);
        if (bar != 0) return bar;
        bar = _ownProofBar(who, batch, opened, item);
        if (bar != 0) return bar;
        if (slot_.leafReference() == 0) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.withFlags(PINNED);
        if (call_ == Call.Exchange) {
            slot_ = slot_.withFlags(ON_PAPER);
            _slots[paperKey].slot = _load(paperKey).bound(leafRef, 0, 0).withFlags(IS_PAPER);
        } else if (call_ == Call.Return) {
            slot_ = slot_.withoutFlags(ON_PAPER);
            _slots[paperKey].slot = _read(paperKey).withFlags(VOID);
        } else {
            slot_ = slot_.withFlags(call_ == Call.Void ? VOID : REVERSED);
        }
        _slots[leaf.invoiceKey].slot = slot_;
        uint256 detail = _detail(who.item, call_, 0, 0, slot_, 0, 0);
        if (call_ == Call.Void) emit Voided(leaf.invoiceKey, detail);
        else if (call_ == Call.Reverse) emit Reversed(leaf.invoiceKey, detail);
        else if (call_ == Call.Exchange) emit Exchanged(leaf.invoiceKey, paperKey, detail);
        else emit Returned(leaf.invoiceKey, paperKey, detail);
        return 0;
    }

    /// @dev Void and reverse: an issuer takes a bill back. Neither asks for locks or settlements,
    /// because a withdrawn bill must not be paid, whatever is going on.
    function _withdrawalBar(Slot slot_, uint48 leafRef, Leaf calldata leaf, uint8 flag)
        private
        view
        returns (uint256 bar)
    {
        if (slot_.hasFlag(IS_PAPER)) return uint256(Outcome.IsPaper);
        bar = _boundBar(slot_, leafRef, leaf.invoiceKey);
        if (bar != 0) return bar;
        if (slot_.hasFlag(flag)) return uint256(Outcome.Repeated);
        bar = _leafBar(leaf);
        return bar == 0 ? _secondKeyBar(slot_, leaf) : bar;
    }

    function _exchangeBar(
        Slot slot_,
        uint48 leafRef,
        Leaf calldata leaf,
        bytes32 paperKey,
        bytes32 opened
    ) private view returns (uint256 bar) {
        Slot paper = _load(paperKey);
        if (
            slot_.hasFlag(ON_PAPER) && slot_.leafReference() == leafRef
                && paper.isPaperOf(leafRef) && !paper.hasFlag(VOID)
        ) return uint256(Outcome.Repeated);
        bar = _busyBar(slot_);
        if (bar == 0) bar = _stateBar(slot_);
        if (bar == 0) bar = _boundBar(slot_, leafRef, leaf.invoiceKey);
        if (bar == 0) bar = _leafBar(leaf);
        if (bar != 0) return bar;
        if (
            paperKey == 0 || paperKey == leaf.invoiceKey || paperKey == leaf.secondKey
                || paper.leafReference() != 0
        ) return uint256(Outcome.PaperKeyBound);
        bar = _secondKeyBar(slot_, leaf);
        if (bar == 0 && _isQuarantined(opened)) return uint256(Outcome.Quarantined);
    }

    function _returnBar(Slot slot_, uint48 leafRef, Leaf calldata leaf, bytes32 paperKey)
        private
        view
        returns (uint256)
    {
        Slot paper = _read(paperKey);
        if (
            !paper.isPaperOf(leafRef) || slot_.leafReference() != leafRef
                || slot_.hasFlag(ALIAS | IS_PAPER)
        ) return _bar(Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
        return paper.hasFlag(VOID) ? uint256(Outcome.Repeated) : _leafBar(leaf);
    }

    /// @dev A key that is bound is spoken of by exactly its leaf.
    function _boundBar(Slot slot_, uint48 leafRef, bytes32 invoiceKey)
        private
        view
        returns (uint256)
    {
        uint48 present = slot_.leafReference();
        if (present == 0 || (present == leafRef && !slot_.hasFlag(ALIAS))) return 0;
        return _bar(Outcome.BoundElsewhere, _boundHolder(slot_, invoiceKey));
    }

    function _secondKeyBar(Slot slot_, Leaf calldata leaf) private view returns (uint256) {
        return slot_.leafReference() == 0 && _isSecondKeyBound(leaf)
            ? uint256(Outcome.SecondKeyBound)
            : 0;
    }

    function _ownProofBar(
        Caller memory who,
        BatchRef calldata batch,
        bytes32 opened,
        LeafProof calldata item
    ) private view returns (uint256) {
        if (batch.institution != who.institution) {
            return uint256(opened == 0 ? Outcome.BadBatch : Outcome.ForeignLeaf);
        }
        return _proofBar(batch, opened, item.leaf, item.leafIndex, item.proof);
    }
}
