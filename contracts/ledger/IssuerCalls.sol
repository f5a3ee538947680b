// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {ALIAS, PINNED, REVERSED, Slot, VOID} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title What an institution says of its own bills: supersede, void, reverse
/// @dev Specified in `IInvoiceLedger`; one private function serves each single and batch call.
abstract contract IssuerCalls is LedgerChecks {
    /// @dev Who calls for an institution.
    struct Issuer {
        uint16 institution;
        bool suspended;
        bool paused;
    }

    /// @inheritdoc IInvoiceLedger
    function supersede(BatchRef[] calldata batches, SupersedeItem calldata item) external {
        _requireSize(1, batches.length);
        Issuer memory who = _requireIssuer();
        uint256 bar = _supersede(0, who, batches, _openAll(batches), item);
        if (bar == 0) return;
        _refuse(Call.Supersede, bar, item.to.leaf.invoiceKey, 0, 0, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function supersedeBatch(BatchRef[] calldata batches, SupersedeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        Issuer memory who = _requireIssuer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            uint256 bar = _supersede(i, who, batches, codes, items[i]);
            if (bar == 0) continue;
            _unchanged(i, Call.Supersede, bar, items[i].to.leaf.invoiceKey, 0, 0, 0);
        }
    }

    function _supersede(
        uint256 index,
        Issuer memory who,
        BatchRef[] calldata batches,
        bytes16[] memory codes,
        SupersedeItem calldata item
    ) private returns (uint256 bar) {
        if (who.suspended) return uint256(Outcome.Suspended);
        if (item.from.batchIndex >= batches.length || item.to.batchIndex >= batches.length) {
            return uint256(Outcome.BadBatch);
        }
        uint48 from = _reference(batches[item.from.batchIndex], item.from);
        uint48 to = _reference(batches[item.to.batchIndex], item.to);
        Slot slot_ = _load(item.to.leaf.invoiceKey);
        bar = _supersedeBar(slot_, who, from, to, item);
        if (bar != 0) return bar;
        uint256 place = item.from.batchIndex;
        bar = _ownProofBar(who, batches[place], codes[place], item.from);
        if (bar != 0) return bar;
        place = item.to.batchIndex;
        bar = _ownProofBar(who, batches[place], codes[place], item.to);
        if (bar != 0) return bar;
        slot_ = _bind(slot_, to, item.to.leaf).withFlags(PINNED);
        _slots[item.to.leaf.invoiceKey].slot = slot_;
        emit Superseded(
            item.to.leaf.invoiceKey, _detail(index, Call.Supersede, 0, 0, slot_, 0, 0), from
        );
        return 0;
    }

    function _supersedeBar(
        Slot slot_,
        Issuer memory who,
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
    function voidBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Void, batches, items);
    }

    /// @inheritdoc IInvoiceLedger
    function reverseBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Reverse, batches, items);
    }

    function _withdrawOne(Call call_, BatchRef calldata batch, LeafProof calldata item) private {
        Issuer memory who = _requireIssuer();
        uint256 bar = item.batchIndex != 0
            ? uint256(Outcome.BadBatch)
            : _withdraw(0, call_, who, batch, _open(batch), item);
        if (bar == 0) return;
        _refuse(call_, bar, item.leaf.invoiceKey, 0, 0, _reference(batch, item));
    }

    function _withdrawAll(
        Call call_,
        BatchRef[] calldata batches,
        LeafProof[] calldata items
    ) private {
        _requireSize(items.length, batches.length);
        Issuer memory who = _requireIssuer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            LeafProof calldata item = items[i];
            uint256 bar = uint256(Outcome.BadBatch);
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                bar = _withdraw(i, call_, who, batch, codes[item.batchIndex], item);
                if (bar == 0) continue;
                leafRef = _reference(batch, item);
            }
            _unchanged(i, call_, bar, item.leaf.invoiceKey, 0, 0, leafRef);
        }
    }

    /// @dev Void and reverse: an issuer takes a bill back. Neither asks for locks or settlements,
    /// because a withdrawn bill must not be paid, whatever is going on.
    function _withdraw(
        uint256 index,
        Call call_,
        Issuer memory who,
        BatchRef calldata batch,
        bytes16 code,
        LeafProof calldata item
    ) private returns (uint256 bar) {
        if (who.suspended) return uint256(Outcome.Suspended);
        Leaf calldata leaf = item.leaf;
        uint8 flag = call_ == Call.Void ? VOID : REVERSED;
        uint48 leafRef = _reference(batch, item);
        Slot slot_ = _load(leaf.invoiceKey);
        uint48 present = slot_.leafReference();
        if (present != 0) {
            if (present != leafRef || slot_.hasFlag(ALIAS)) {
                return _bar(Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
            }
            if (slot_.hasFlag(flag)) return uint256(Outcome.Repeated);
        }
        bar = _leafBar(leaf);
        if (bar != 0) return bar;
        if (present == 0 && _isSecondKeyBound(leaf)) return uint256(Outcome.SecondKeyBound);
        bar = _ownProofBar(who, batch, code, item);
        if (bar != 0) return bar;
        if (present == 0) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.withFlags(PINNED | flag);
        _slots[leaf.invoiceKey].slot = slot_;
        uint256 detail = _detail(index, call_, 0, 0, slot_, 0, 0);
        if (call_ == Call.Void) emit Voided(leaf.invoiceKey, detail);
        else emit Reversed(leaf.invoiceKey, detail);
        return 0;
    }

    function _requireIssuer() private view returns (Issuer memory who) {
        (who.institution, who.suspended, who.paused) = registry.issuerContext(msg.sender);
        if (who.institution == 0) revert LedgerNotInstitution(msg.sender);
    }

    function _ownProofBar(
        Issuer memory who,
        BatchRef calldata batch,
        bytes16 code,
        LeafProof calldata item
    ) private view returns (uint256) {
        if (batch.institution != who.institution) {
            return uint256(code == 0 ? Outcome.BadBatch : Outcome.ForeignLeaf);
        }
        return _proofBar(batch, code, item.leaf, item.leafIndex, item.proof);
    }
}
