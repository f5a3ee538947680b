// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {Slot, lowestPayer} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title What becomes of an open claim: settle, release, renew, expire
/// @dev Specified in `IInvoiceLedger`; one private function serves each single and batch call.
abstract contract Claims is LedgerChecks {
    uint256 public constant EXPIRY_GRACE_SECONDS = 7 days;

    /// @inheritdoc IInvoiceLedger
    function settle(SettleItem calldata item) external {
        Payer memory who = _requirePayer();
        uint256 bar = _settle(0, who, item);
        if (bar == 0) return;
        _refuse(Call.Settle, bar, item.invoiceKey, who.number, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function settleBatch(SettleItem[] calldata items) external {
        _requireSize(items.length, 0);
        Payer memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            SettleItem calldata item = items[i];
            uint256 bar = _settle(i, who, item);
            if (bar == 0) continue;
            _unchanged(i, Call.Settle, bar, item.invoiceKey, who.number, item.counter, 0);
        }
    }

    function _settle(uint256 index, Payer memory who, SettleItem calldata item)
        private
        returns (uint256)
    {
        if (who.suspended) return uint256(Outcome.Suspended);
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = entry.slot;
        uint16 counter = item.counter;
        uint64 settled = slot_.settledPayers();
        if (settled & who.own != 0) return _bar(Outcome.AlreadySettled, who.number);
        if (!slot_.isClaim(who.number, counter)) return _bar(Outcome.Stale, _claimHolder(slot_));
        if (slot_.isWithdrawn()) return _stateBar(slot_);
        // Cannot happen while lodge refuses it; asked again because money follows.
        settled &= who.rivals;
        if (settled != 0) return _bar(Outcome.SettledByBasic, lowestPayer(settled));
        uint256 amount = item.amount;
        if (amount > slot_.left()) return uint256(Outcome.OverTotal);
        bytes32 policyHash = item.policyHash;
        if (!_isPublished(policyHash, who)) return uint256(Outcome.PolicyUnknown);
        slot_ = slot_.settled(who.own, amount);
        entry.slot = slot_;
        emit Settled(
            item.invoiceKey,
            _detail(
                index,
                Call.Settle,
                who.number,
                counter,
                slot_,
                amount,
                item.decisionVersion
            ),
            item.decisionFingerprint,
            policyHash
        );
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function release(ReleaseItem calldata item) external {
        Payer memory who = _requirePayer();
        uint256 bar = _release(0, who, item);
        if (bar == 0) return;
        _refuse(Call.Release, bar, item.invoiceKey, who.number, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function releaseBatch(ReleaseItem[] calldata items) external {
        _requireSize(items.length, 0);
        Payer memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            ReleaseItem calldata item = items[i];
            uint256 bar = _release(i, who, item);
            if (bar == 0) continue;
            _unchanged(i, Call.Release, bar, item.invoiceKey, who.number, item.counter, 0);
        }
    }

    function _release(uint256 index, Payer memory who, ReleaseItem calldata item)
        private
        returns (uint256)
    {
        if (who.suspended) return uint256(Outcome.Suspended);
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = entry.slot;
        if (!slot_.isClaim(who.number, item.counter)) return _notOpen(slot_, item.counter);
        if (item.reason == ReleaseReason.Refused && !_isPublished(item.policyHash, who)) {
            return uint256(Outcome.PolicyUnknown);
        }
        entry.slot = slot_.unlocked();
        emit Released(
            item.invoiceKey,
            _detail(
                index,
                Call.Release,
                who.number,
                item.counter,
                slot_,
                uint256(item.reason),
                item.decisionVersion
            ),
            item.decisionFingerprint,
            item.policyHash
        );
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function renew(RenewItem calldata item) external {
        Payer memory who = _requirePayer();
        uint256 bar = _renew(0, who, item);
        if (bar == 0) return;
        _refuse(Call.Renew, bar, item.invoiceKey, who.number, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renewBatch(RenewItem[] calldata items) external {
        _requireSize(items.length, 0);
        Payer memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            RenewItem calldata item = items[i];
            uint256 bar = _renew(i, who, item);
            if (bar == 0) continue;
            _unchanged(i, Call.Renew, bar, item.invoiceKey, who.number, item.counter, 0);
        }
    }

    function _renew(uint256 index, Payer memory who, RenewItem calldata item)
        private
        returns (uint256)
    {
        if (who.suspended) return uint256(Outcome.Suspended);
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = entry.slot;
        if (!slot_.isClaim(who.number, item.counter)) {
            return _bar(Outcome.Stale, _claimHolder(slot_));
        }
        uint256 bar = _stateBar(slot_);
        if (bar != 0) return bar;
        if (item.deadline == slot_.deadline()) return uint256(Outcome.Repeated);
        if (item.deadline < slot_.deadline() || !_isDeadline(item.deadline)) {
            return uint256(Outcome.BadDeadline);
        }
        slot_ = slot_.renewed(item.deadline);
        entry.slot = slot_;
        emit Renewed(
            item.invoiceKey,
            _detail(index, Call.Renew, who.number, item.counter, slot_, item.deadline, 0)
        );
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function expire(ExpireItem calldata item) external {
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        uint256 bar = _expire(0, paused, unpausedAt, item);
        if (bar == 0) return;
        _refuse(Call.Expire, bar, item.invoiceKey, 0, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expireBatch(ExpireItem[] calldata items) external {
        _requireSize(items.length, 0);
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        for (uint256 i = 0; i < items.length; ++i) {
            ExpireItem calldata item = items[i];
            uint256 bar = _expire(i, paused, unpausedAt, item);
            if (bar == 0) continue;
            _unchanged(i, Call.Expire, bar, item.invoiceKey, 0, item.counter, 0);
        }
    }

    function _expire(uint256 index, bool paused, uint32 unpausedAt, ExpireItem calldata item)
        private
        returns (uint256)
    {
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = entry.slot;
        uint8 open = slot_.openPayer();
        if (open == 0 || slot_.counter() != item.counter) return _notOpen(slot_, item.counter);
        if (paused) return uint256(Outcome.Paused);
        bool graceRuns =
            unpausedAt != 0 && block.timestamp < uint256(unpausedAt) + EXPIRY_GRACE_SECONDS;
        if (block.timestamp <= slot_.deadline() || graceRuns) {
            return _bar(Outcome.NotDue, _claimHolder(slot_));
        }
        entry.slot = slot_.unlocked();
        emit Expired(
            item.invoiceKey, _detail(index, Call.Expire, open, item.counter, slot_, 0, 0)
        );
        return 0;
    }
}
