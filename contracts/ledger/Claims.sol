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
        Caller memory who = _requirePayer();
        uint256 bar = _settle(who, item);
        if (bar == 0) return;
        _refuse(Call.Settle, bar, item.invoiceKey, who.payer, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function settleBatch(SettleItem[] calldata items) external {
        _requireSize(items.length, 0);
        Caller memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            SettleItem calldata item = items[i];
            uint256 bar = _settle(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Settle, bar, item.invoiceKey, who.payer, item.counter, 0);
        }
    }

    function _settle(Caller memory who, SettleItem calldata item)
        private
        returns (uint256)
    {
        if (who.bar != 0) return who.bar;
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = entry.slot;
        uint16 counter = item.counter;
        if (!slot_.isClaim(who.payer, counter)) return _notClaim(item.invoiceKey, who);
        if (Slot.unwrap(slot_) & who.watched != 0) {
            uint256 bar = _payableBar(slot_, who);
            if (bar != 0) return bar;
        }
        // Cannot happen while lodge refuses it; asked again because money follows.
        uint256 settled = slot_.settledPayers() & who.rivals;
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
                who.item,
                Call.Settle,
                who.payer,
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

    /// @dev Settle of a claim that is not open. A payer that has settled has no open claim, so that
    /// only here need be asked whether it has.
    function _notClaim(bytes32 invoiceKey, Caller memory who) private view returns (uint256) {
        Slot slot_ = _read(invoiceKey);
        if (slot_.settledPayers() & who.own != 0) return _bar(Outcome.AlreadySettled, who.payer);
        return _bar(Outcome.Stale, _claimHolder(slot_));
    }

    /// @inheritdoc IInvoiceLedger
    function release(ReleaseItem calldata item) external {
        Caller memory who = _requirePayer();
        uint256 bar = _release(who, item);
        if (bar == 0) return;
        _refuse(Call.Release, bar, item.invoiceKey, who.payer, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function releaseBatch(ReleaseItem[] calldata items) external {
        _requireSize(items.length, 0);
        Caller memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            ReleaseItem calldata item = items[i];
            uint256 bar = _release(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Release, bar, item.invoiceKey, who.payer, item.counter, 0);
        }
    }

    function _release(Caller memory who, ReleaseItem calldata item)
        private
        returns (uint256)
    {
        if (who.bar != 0) return who.bar;
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = _read(entry, item.invoiceKey);
        if (!slot_.isClaim(who.payer, item.counter)) return _notOpen(slot_, item.counter);
        if (item.reason == ReleaseReason.Refused && !_isPublished(item.policyHash, who)) {
            return uint256(Outcome.PolicyUnknown);
        }
        entry.slot = slot_.unlocked();
        emit Released(
            item.invoiceKey,
            _detail(
                who.item,
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
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function renew(RenewItem calldata item) external {
        Caller memory who = _requirePayer();
        uint256 bar = _renew(who, item);
        if (bar == 0) return;
        _refuse(Call.Renew, bar, item.invoiceKey, who.payer, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renewBatch(RenewItem[] calldata items) external {
        _requireSize(items.length, 0);
        Caller memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            RenewItem calldata item = items[i];
            uint256 bar = _renew(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Renew, bar, item.invoiceKey, who.payer, item.counter, 0);
        }
    }

    function _renew(Caller memory who, RenewItem calldata item)
        private
        returns (uint256)
    {
        if (who.bar != 0) return who.bar;
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = _read(entry, item.invoiceKey);
        if (!slot_.isClaim(who.payer, item.counter)) {
            return _bar(Outcome.Stale, _claimHolder(slot_));
        }
        uint256 bar = _payableBar(slot_, who);
        if (bar != 0) return bar;
        if (item.deadline == slot_.deadline()) return uint256(Outcome.Repeated);
        if (item.deadline < slot_.deadline() || !_isDeadline(item.deadline)) {
            return uint256(Outcome.BadDeadline);
        }
        slot_ = slot_.renewed(item.deadline);
        entry.slot = slot_;
        emit Renewed(
            item.invoiceKey,
            _detail(who.item, Call.Renew, who.payer, item.counter, slot_, item.deadline, 0)
        );
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function expire(ExpireItem calldata item) external {
        (Caller memory who,) = _anyone();
        uint256 bar = _expire(who, item);
        if (bar == 0) return;
        _refuse(Call.Expire, bar, item.invoiceKey, 0, item.counter, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expireBatch(ExpireItem[] calldata items) external {
        _requireSize(items.length, 0);
        (Caller memory who,) = _anyone();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            ExpireItem calldata item = items[i];
            uint256 bar = _expire(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Expire, bar, item.invoiceKey, 0, item.counter, 0);
        }
    }

    function _expire(Caller memory who, ExpireItem calldata item) private returns (uint256) {
        if (who.bar != 0) return who.bar;
        Entry storage entry = _slots[item.invoiceKey];
        Slot slot_ = _read(entry, item.invoiceKey);
        uint8 open = slot_.openPayer();
        if (open == 0 || slot_.counter() != item.counter) return _notOpen(slot_, item.counter);
        if (who.paused) return uint256(Outcome.Paused);
        // An `unpausedAt` of 0, never, lies longer ago than the grace.
        bool graceRuns = block.timestamp < who.unpausedAt + EXPIRY_GRACE_SECONDS;
        if (block.timestamp <= slot_.deadline() || graceRuns) {
            return _bar(Outcome.NotDue, _claimHolder(slot_));
        }
        entry.slot = slot_.unlocked();
        emit Expired(
            item.invoiceKey, _detail(who.item, Call.Expire, open, item.counter, slot_, 0, 0)
        );
        return 0;
    }
}
