// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot, lowestPayer, payerBit} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title What becomes of an open claim: settle, release, renew, expire
/// @dev Specified in `IInvoiceLedger`; one private function serves each single and batch call.
abstract contract Claims is LedgerChecks {
    uint256 public constant EXPIRY_GRACE_SECONDS = 7 days;

    /// @inheritdoc IInvoiceLedger
    function settle(SettleItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _settle(0, who, item, new bytes32[](1));
        if (outcome == Outcome.Done) return;
        _refuse(Call.Settle, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function settleBatch(SettleItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes32[] memory known = new bytes32[](1);
        for (uint256 i = 0; i < items.length; ++i) {
            SettleItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _settle(i, who, item, known);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Settle, outcome, item.invoiceKey, who.payer, item.counter, holder, 0
            );
        }
    }

    /// @param known one word of memory: the policy hash last found published in this call
    function _settle(
        uint256 index,
        IRegistry.PayerContext memory who,
        SettleItem calldata item,
        bytes32[] memory known
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        uint64 settled = slot_.settledPayers();
        uint64 own = payerBit(who.payer);
        if (settled & own != 0) return (Outcome.AlreadySettled, who.payer);
        if (!_isOpen(slot_, who.payer, item.counter)) return (Outcome.Stale, _claimHolder(slot_));
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        // Cannot happen while lodge refuses it; asked again because money follows.
        if (own & who.basicPayers != 0 && settled & who.basicPayers != 0) {
            return (Outcome.SettledByBasic, lowestPayer(settled & who.basicPayers));
        }
        if (item.amount > slot_.total() - slot_.paid()) return (Outcome.OverTotal, 0);
        if (!_isPublished(item.policyHash, known)) return (Outcome.PolicyUnknown, 0);
        slot_ = slot_.settled(who.payer, item.amount);
        _slots[item.invoiceKey] = slot_;
        emit Settled(
            item.invoiceKey,
            _detail(
                index,
                Call.Settle,
                who.payer,
                item.counter,
                slot_,
                item.amount,
                item.decisionVersion
            ),
            item.decisionFingerprint,
            item.policyHash
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function release(ReleaseItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _release(0, who, item, new bytes32[](1));
        if (outcome == Outcome.Done) return;
        _refuse(Call.Release, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function releaseBatch(ReleaseItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes32[] memory known = new bytes32[](1);
        for (uint256 i = 0; i < items.length; ++i) {
            ReleaseItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _release(i, who, item, known);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Release, outcome, item.invoiceKey, who.payer, item.counter, holder, 0
            );
        }
    }

    function _release(
        uint256 index,
        IRegistry.PayerContext memory who,
        ReleaseItem calldata item,
        bytes32[] memory known
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        if (!_isOpen(slot_, who.payer, item.counter)) return _notOpen(slot_, item.counter);
        if (item.reason == ReleaseReason.Refused && !_isPublished(item.policyHash, known)) {
            return (Outcome.PolicyUnknown, 0);
        }
        _slots[item.invoiceKey] = slot_.unlocked();
        emit Released(
            item.invoiceKey,
            _detail(
                index,
                Call.Release,
                who.payer,
                item.counter,
                slot_,
                uint256(item.reason),
                item.decisionVersion
            ),
            item.decisionFingerprint,
            item.policyHash
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renew(RenewItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _renew(0, who, item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Renew, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renewBatch(RenewItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            RenewItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _renew(i, who, item);
            if (outcome == Outcome.Done) continue;
            _unchanged(i, Call.Renew, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
        }
    }

    function _renew(
        uint256 index,
        IRegistry.PayerContext memory who,
        RenewItem calldata item
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        if (!_isOpen(slot_, who.payer, item.counter)) return (Outcome.Stale, _claimHolder(slot_));
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (item.deadline == slot_.deadline()) return (Outcome.Repeated, 0);
        if (item.deadline < slot_.deadline() || !_isDeadline(item.deadline)) {
            return (Outcome.BadDeadline, 0);
        }
        slot_ = slot_.renewed(item.deadline);
        _slots[item.invoiceKey] = slot_;
        emit Renewed(
            item.invoiceKey,
            _detail(index, Call.Renew, who.payer, item.counter, slot_, item.deadline, 0)
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expire(ExpireItem calldata item) external {
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        (Outcome outcome, uint256 holder) = _expire(0, paused, unpausedAt, item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Expire, outcome, item.invoiceKey, 0, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expireBatch(ExpireItem[] calldata items) external {
        _requireSize(items.length, 0);
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        for (uint256 i = 0; i < items.length; ++i) {
            ExpireItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _expire(i, paused, unpausedAt, item);
            if (outcome == Outcome.Done) continue;
            _unchanged(i, Call.Expire, outcome, item.invoiceKey, 0, item.counter, holder, 0);
        }
    }

    function _expire(uint256 index, bool paused, uint32 unpausedAt, ExpireItem calldata item)
        private
        returns (Outcome, uint256)
    {
        Slot slot_ = _slots[item.invoiceKey];
        uint8 open = slot_.openPayer();
        if (open == 0 || slot_.counter() != item.counter) return _notOpen(slot_, item.counter);
        if (paused) return (Outcome.Paused, 0);
        bool graceRuns =
            unpausedAt != 0 && block.timestamp < uint256(unpausedAt) + EXPIRY_GRACE_SECONDS;
        if (block.timestamp <= slot_.deadline() || graceRuns) {
            return (Outcome.NotDue, _claimHolder(slot_));
        }
        _slots[item.invoiceKey] = slot_.unlocked();
        emit Expired(
            item.invoiceKey, _detail(index, Call.Expire, open, item.counter, slot_, 0, 0)
        );
        return (Outcome.Done, 0);
    }
}
