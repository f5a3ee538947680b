// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {ALIAS, MOVED, ON_PAPER, PINNED, REVERSED, Slot, VOID} from "../libraries/Slot.sol";
import {LedgerChecks} from "./LedgerChecks.sol";

/// @title The registrar's rulings on disputed bills
/// @dev Specified in `IInvoiceLedger`.
abstract contract Rulings is LedgerChecks {
    uint8 private constant _RULING_FLAGS = PINNED | VOID | REVERSED | ON_PAPER;

    /// @inheritdoc IInvoiceLedger
    function rule(bytes32 invoiceKey, bytes32 reason) external {
        uint256 bar = _requireRegistrar();
        Slot before = _read(invoiceKey);
        if (bar == 0) bar = _rulingBar(_load(invoiceKey), invoiceKey);
        Slot after_ = before.cleared();
        if (bar == 0 && Slot.unwrap(before) == Slot.unwrap(after_)) {
            bar = uint256(Outcome.Repeated);
        }
        if (bar != 0) {
            _refuse(Call.Rule, bar, invoiceKey, 0, 0, 0);
            return;
        }
        _slots[invoiceKey].slot = after_;
        emit Ruled(
            invoiceKey, _detail(0, Call.Rule, 0, 0, after_, 0, 0), Slot.unwrap(before), reason
        );
    }

    /// @inheritdoc IInvoiceLedger
    function ruleFor(
        BatchRef calldata batch,
        LeafProof calldata item,
        uint8 flags,
        bytes32 reason
    ) external {
        uint256 bar = _requireRegistrar();
        bytes32 key = item.leaf.invoiceKey;
        Slot before = _read(key);
        Slot slot_ = _load(key);
        uint48 leafRef = _reference(batch, item);
        if (bar == 0) bar = _ruleForBar(slot_, flags, leafRef, batch, item);
        if (bar != 0) {
            _refuse(Call.Rule, bar, key, 0, 0, leafRef);
            return;
        }
        slot_ = _bind(slot_, leafRef, item.leaf).withFlags(flags);
        _slots[key].slot = slot_;
        emit Ruled(key, _detail(0, Call.Rule, 0, 0, slot_, flags, 0), Slot.unwrap(before), reason);
    }

    /// @return what bars a ruling whatever it says, or 0
    function _requireRegistrar() private view returns (uint256) {
        if (!registry.isRegistrar(msg.sender)) revert LedgerNotRegistrar(msg.sender);
        (Caller memory who,) = _anyone();
        return who.bar;
    }

    function _ruleForBar(
        Slot slot_,
        uint8 flags,
        uint48 leafRef,
        BatchRef calldata batch,
        LeafProof calldata item
    ) private view returns (uint256 bar) {
        if (flags & ~_RULING_FLAGS != 0) return uint256(Outcome.BadFlags);
        bar = _rulingBar(slot_, item.leaf.invoiceKey);
        if (bar != 0) return bar;
        // A place where no leaf can be has no reference: nothing is bound to it.
        bool isThere = leafRef != 0 && slot_.leafReference() == leafRef;
        if (isThere && slot_.flags() & ~MOVED == flags) return uint256(Outcome.Repeated);
        bar = _leafBar(item.leaf);
        if (bar != 0) return bar;
        if (_isSecondKeyBound(item.leaf)) return uint256(Outcome.SecondKeyBound);
        if (item.batchIndex != 0) return uint256(Outcome.BadBatch);
        return _proofBar(batch, _open(batch), item.leaf, item.leafIndex, item.proof);
    }

    /// @dev A second key stands and falls with its bill: it cannot be freed while that bill is
    /// locked or settled, or its amount could be claimed again under the other number.
    function _rulingBar(Slot slot_, bytes32 invoiceKey) private view returns (uint256) {
        return _busyBar(slot_.hasFlag(ALIAS) ? _read(_primaryKey(invoiceKey)) : slot_);
    }
}
