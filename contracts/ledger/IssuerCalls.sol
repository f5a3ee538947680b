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
        (Outcome outcome, uint256 holder) = _supersede(0, who, batches, _openAll(batches), item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Supersede, outcome, item.to.leaf.invoiceKey, 0, 0, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function supersedeBatch(BatchRef[] calldata batches, SupersedeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        Issuer memory who = _requireIssuer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            (Outcome outcome, uint256 holder) = _supersede(i, who, batches, codes, items[i]);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Supersede, outcome, items[i].to.leaf.invoiceKey, 0, 0, holder, 0
            );
        }
    }

    function _supersede(
        uint256 index,
        Issuer memory who,
        BatchRef[] calldata batches,
        bytes16[] memory codes,
        SupersedeItem calldata item
    ) private returns (Outcome outcome, uint256 holder) {
        if (who.suspended) return (Outcome.Suspended, 0);
        if (item.from.batchIndex >= batches.length || item.to.batchIndex >= batches.length) {
            return (Outcome.BadBatch, 0);
        }
        uint48 from = _reference(batches[item.from.batchIndex], item.from);
        uint48 to = _reference(batches[item.to.batchIndex], item.to);
        Slot slot_ = _load(item.to.leaf.invoiceKey);
        (outcome, holder) = _supersedeBar(slot_, who, from, to, item);
        if (outcome != Outcome.Done) return (outcome, holder);
        outcome = _ownProofBar(who, batches[item.from.batchIndex], codes[item.from.batchIndex], item.from);
        if (outcome != Outcome.Done) return (outcome, 0);
        outcome = _ownProofBar(who, batches[item.to.batchIndex], codes[item.to.batchIndex], item.to);
        if (outcome != Outcome.Done) return (outcome, 0);
        slot_ = _bind(slot_, to, item.to.leaf).withFlags(PINNED);
        _slots[item.to.leaf.invoiceKey] = slot_;
        emit Superseded(
            item.to.leaf.invoiceKey, _detail(index, Call.Supersede, 0, 0, slot_, 0, 0), from
        );
        return (Outcome.Done, 0);
    }

    function _supersedeBar(
        Slot slot_,
        Issuer memory who,
        uint48 from,
        uint48 to,
        SupersedeItem calldata item
    ) private view returns (Outcome, uint256) {
        Leaf calldata leaf = item.to.leaf;
        if (item.from.leaf.invoiceKey != leaf.invoiceKey) return (Outcome.BadLeaf, 0);
        uint48 present = slot_.leafReference();
        if (present == to && slot_.hasFlag(PINNED)) return (Outcome.Repeated, 0);
        if (who.paused) return (Outcome.Paused, 0);
        (Outcome outcome, uint256 holder) = _busyBar(slot_);
        if (outcome != Outcome.Done) return (outcome, holder);
        outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present != 0 && (present != from || slot_.hasFlag(ALIAS))) {
            return (Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
        }
        outcome = _leafBar(item.from.leaf);
        if (outcome == Outcome.Done) outcome = _leafBar(leaf);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (from >> 32 != to >> 32 || to <= from) return (Outcome.NotLater, 0);
        return (_isSecondKeyBound(leaf) ? Outcome.SecondKeyBound : Outcome.Done, 0);
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
        (Outcome outcome, uint256 holder) = item.batchIndex != 0
            ? (Outcome.BadBatch, 0)
            : _withdraw(0, call_, who, batch, _open(batch), item);
        if (outcome == Outcome.Done) return;
        _refuse(
            call_, outcome, item.leaf.invoiceKey, 0, 0, holder, _reference(batch, item)
        );
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
            Outcome outcome = Outcome.BadBatch;
            uint256 holder = 0;
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                (outcome, holder) =
                    _withdraw(i, call_, who, batch, codes[item.batchIndex], item);
                if (outcome == Outcome.Done) continue;
                leafRef = _reference(batch, item);
            }
            _unchanged(i, call_, outcome, item.leaf.invoiceKey, 0, 0, holder, leafRef);
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
    ) private returns (Outcome outcome, uint256 holder) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Leaf calldata leaf = item.leaf;
        uint8 flag = call_ == Call.Void ? VOID : REVERSED;
        uint48 leafRef = _reference(batch, item);
        Slot slot_ = _load(leaf.invoiceKey);
        uint48 present = slot_.leafReference();
        if (present != 0) {
            if (present != leafRef || slot_.hasFlag(ALIAS)) {
                return (Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
            }
            if (slot_.hasFlag(flag)) return (Outcome.Repeated, 0);
        }
        outcome = _leafBar(leaf);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present == 0 && _isSecondKeyBound(leaf)) return (Outcome.SecondKeyBound, 0);
        outcome = _ownProofBar(who, batch, code, item);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present == 0) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.withFlags(PINNED | flag);
        _slots[leaf.invoiceKey] = slot_;
        uint256 detail = _detail(index, call_, 0, 0, slot_, 0, 0);
        if (call_ == Call.Void) emit Voided(leaf.invoiceKey, detail);
        else emit Reversed(leaf.invoiceKey, detail);
        return (Outcome.Done, 0);
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
    ) private view returns (Outcome) {
        if (batch.institution != who.institution) {
            return code == 0 ? Outcome.BadBatch : Outcome.ForeignLeaf;
        }
        return _proofBar(batch, code, item.leaf, item.leafIndex, item.proof);
    }
}
