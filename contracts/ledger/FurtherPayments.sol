// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {Slot} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title What a payer that has settled may still do: supplement, recover
/// @dev Specified in `IInvoiceLedger`; one private function serves each single and batch call.
abstract contract FurtherPayments is LedgerChecks {
    uint16 private constant _SUPPLEMENT_VERSION_MIN = 2;

    /// @inheritdoc IInvoiceLedger
    function supplement(SupplementItem calldata item) external {
        Caller memory who = _requirePayer();
        uint256 bar = _supplement(who, item);
        if (bar != 0) _refuse(Call.Supplement, bar, item.invoiceKey, who.payer, 0, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function supplementBatch(SupplementItem[] calldata items) external {
        _requireSize(items.length, 0);
        Caller memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            SupplementItem calldata item = items[i];
            uint256 bar = _supplement(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Supplement, bar, item.invoiceKey, who.payer, 0, 0);
        }
    }

    function _supplement(Caller memory who, SupplementItem calldata item)
        private
        returns (uint256 bar)
    {
        if (who.bar != 0) return who.bar;
        bytes32 key = item.invoiceKey;
        Slot slot_ = _read(key);
        if (slot_.settledPayers() & who.own == 0) return uint256(Outcome.NotSettled);
        bar = _payableBar(slot_, who);
        if (bar != 0) return bar;
        if (slot_.openPayer() != 0) return _bar(Outcome.Locked, _claimHolder(slot_));
        if (item.paidBefore != slot_.paid()) return uint256(Outcome.Stale);
        uint256 amount = item.amount;
        if (amount == 0) return uint256(Outcome.BadAmount);
        if (amount > slot_.left()) return uint256(Outcome.OverTotal);
        uint16 version = item.decisionVersion;
        if (version < _SUPPLEMENT_VERSION_MIN) return uint256(Outcome.BadVersion);
        bytes32 policyHash = item.policyHash;
        if (!_isPublished(policyHash, who)) return uint256(Outcome.PolicyUnknown);
        slot_ = slot_.settled(who.own, amount);
        _slots[key].slot = slot_;
        emit Supplemented(
            key,
            _detail(who.item, Call.Supplement, who.payer, 0, slot_, amount, version),
            item.decisionFingerprint,
            policyHash
        );
        return 0;
    }

    /// @inheritdoc IInvoiceLedger
    function recover(RecoverItem calldata item) external {
        Caller memory who = _requirePayer();
        uint256 bar = _recover(who, item);
        if (bar != 0) _refuse(Call.Recover, bar, item.invoiceKey, who.payer, 0, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function recoverBatch(RecoverItem[] calldata items) external {
        _requireSize(items.length, 0);
        Caller memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            who.item = i;
            RecoverItem calldata item = items[i];
            uint256 bar = _recover(who, item);
            if (bar == 0) continue;
            _unchanged(who.item, Call.Recover, bar, item.invoiceKey, who.payer, 0, 0);
        }
    }

    function _recover(Caller memory who, RecoverItem calldata item)
        private
        returns (uint256)
    {
        if (who.bar != 0) return who.bar;
        bytes32 key = item.invoiceKey;
        uint256 amount = item.amount;
        bytes32 number = item.recoveryNumber;
        Slot slot_ = _read(key);
        if (slot_.settledPayers() & who.own == 0) return uint256(Outcome.NotSettled);
        bytes32 digest = keccak256(abi.encode(who.payer, key, amount));
        bytes32 present = _recovery(number);
        if (present == digest) return uint256(Outcome.Repeated);
        if (present != 0) return uint256(Outcome.NumberUsed);
        if (amount == 0 || amount > slot_.paid()) return uint256(Outcome.BadAmount);
        _recoveries[number] = digest;
        emit Recovered(
            key, number, _detail(who.item, Call.Recover, who.payer, 0, slot_, amount, 0)
        );
        return 0;
    }
}
