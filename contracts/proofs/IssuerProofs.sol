// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot} from "../libraries/Slot.sol";
import {Bill, batchOf, leafProofOf} from "./Bill.sol";
import {LOCK} from "./ClaimProofs.sol";
import {Setting, all, implies, isSound, same} from "./Setting.sol";

// What institutions and the registrar do to the slot of any key: they never touch a claim, a payment,
// a sum or a counter, and never rebind a bill under claim or paid on.

uint256 constant COUNTER = uint256(0xffff) << 168;
uint256 constant SETTLED = uint256(0xffffffffffffffff) << 192;
uint256 constant WITHDRAWN = uint256(6) << 184;

/// @dev Supersede: the corrected bill is free of claims and payments, and the batches are the caller's.
abstract contract SupersedeCheck is Setting {
    function check_supersede(
        IRegistry.CallerContext calldata caller,
        Bill calldata from,
        Bill calldata to,
        bytes32 key,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeAnchored(batchOf(from));
        _assumeAnchored(batchOf(to));
        _assumeEarlyPayers(to.invoiceKey);
        Slot before = _soundSlot(caller, key);
        if (!_supersede(from, to)) return;
        Slot later = _slot(key);
        bool isOwn = all(
            from.batch.institution == caller.institution,
            to.batch.institution == caller.institution
        );
        assert(isSound(later, caller.basicPayers));
        assert(implies(!same(before, later), all(isOwn, isFree(before))));
        assert(isUntouched(before, later));
    }

    function _supersede(Bill calldata from, Bill calldata to) private returns (bool) {
        IInvoiceLedger.BatchRef[] memory batches = new IInvoiceLedger.BatchRef[](2);
        (batches[0], batches[1]) = (batchOf(from), batchOf(to));
        IInvoiceLedger.SupersedeItem memory item;
        (item.from, item.to) = (leafProofOf(from), leafProofOf(to));
        item.to.batchIndex = 1;
        return _call(abi.encodeCall(_ledger.supersede, (batches, item)));
    }
}

/// @dev Void and reverse: flags of the own bill, whatever is going on; claims and payments stay.
abstract contract WithdrawCheck is Setting {
    function check_withdraw(
        IRegistry.CallerContext calldata caller,
        Bill calldata bill,
        bool isVoid,
        bytes32 key,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeAnchored(batchOf(bill));
        _assumeEarlyPayers(bill.invoiceKey);
        Slot before = _soundSlot(caller, key);
        bytes4 call_ = isVoid ? _ledger.void.selector : _ledger.reverse.selector;
        if (!_call(abi.encodeWithSelector(call_, batchOf(bill), leafProofOf(bill)))) return;
        Slot later = _slot(key);
        bool isOwn = bill.batch.institution == caller.institution;
        assert(isSound(later, caller.basicPayers));
        assert(implies(!same(before, later), isOwn));
        assert(isUntouched(before, later));
    }
}

/// @dev Exchange and return: the own bill, free of claims and payments for an exchange; the paper's
/// key was free before and carries no claim.
abstract contract PaperCheck is Setting {
    function check_paper(
        IRegistry.CallerContext calldata caller,
        Bill calldata bill,
        bytes32 paperKey,
        bool isExchange,
        bytes32 key
    ) external {
        _enterUnbarred(caller, 1);
        _assumeAnchored(batchOf(bill));
        _assumeEarlyPayers(bill.invoiceKey);
        Slot before = _soundSlot(caller, key);
        if (!_paper(bill, paperKey, isExchange)) return;
        Slot later = _slot(key);
        bool isOwn = bill.batch.institution == caller.institution;
        bool isChanged = !same(before, later);
        assert(isSound(later, caller.basicPayers));
        assert(implies(isChanged, isOwn));
        assert(implies(all(isChanged, isExchange), isFree(before)));
        assert(isUntouched(before, later));
    }

    function _paper(Bill calldata bill, bytes32 paperKey, bool isExchange)
        private
        returns (bool)
    {
        IInvoiceLedger.PaperItem memory item;
        (item.bill, item.paperKey) = (leafProofOf(bill), paperKey);
        bytes4 call_ =
            isExchange ? _ledger.exchangeToPaper.selector : _ledger.returnPaper.selector;
        return _call(abi.encodeWithSelector(call_, batchOf(bill), item));
    }
}

/// @dev Rule: the registrar only, and never a claim or a payment, neither of the key nor of the bill
/// whose second key it is.
abstract contract RuleCheck is Setting {
    function check_rule(
        IRegistry.CallerContext calldata caller,
        bytes32 ruled,
        bytes32 key,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeEarlyPayers(ruled);
        Slot before = _soundSlot(caller, key);
        Slot primary = _slot(_primaryKey(key));
        // An alias lives while its bill is bound to the same leaf.
        bool isAlias = all(
            before.flags() & 32 != 0, primary.leafReference() == before.leafReference()
        );
        if (!_call(abi.encodeCall(_ledger.rule, (ruled, bytes32(0))))) return;
        Slot later = _slot(key);
        bool isAllowed = all(
            all(_isRegistrar & 1 == 1, key == ruled),
            all(isFree(before), implies(isAlias, isFree(primary)))
        );
        assert(implies(!same(before, later), isAllowed));
        assert(Slot.unwrap(later) & (LOCK | SETTLED) == Slot.unwrap(before) & (LOCK | SETTLED));
        assert(later.counter() == before.counter());
        assert(isSound(later, caller.basicPayers));
    }
}

/// @dev Rule for a leaf: the same, and the bill gets the amounts of the proved leaf.
abstract contract RuleForCheck is Setting {
    function check_ruleFor(
        IRegistry.CallerContext calldata caller,
        Bill calldata bill,
        uint8 flags,
        bytes32 key,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeAnchored(batchOf(bill));
        _assumeEarlyPayers(bill.invoiceKey);
        Slot before = _soundSlot(caller, key);
        if (!_ruleFor(bill, flags)) return;
        Slot later = _slot(key);
        bool isNamed = implies(key != bill.invoiceKey, key == bill.secondKey);
        bool isAllowed = all(all(_isRegistrar & 1 == 1, isNamed), isFree(before));
        assert(isSound(later, caller.basicPayers));
        uint256 changed = Slot.unwrap(later) ^ Slot.unwrap(before);
        assert(implies(changed != 0, isAllowed));
        assert(changed & (LOCK | SETTLED | COUNTER) == 0);
    }

    function _ruleFor(Bill calldata bill, uint8 flags) private returns (bool) {
        bytes memory data =
            abi.encodeCall(_ledger.ruleFor, (batchOf(bill), leafProofOf(bill), flags, bytes32(0)));
        return _call(data);
    }
}

/// @dev Anchor: no slot changes; a head is written once, in the caller's own sequence, after its
/// predecessor, for a batch whose size and sequence are in range.
abstract contract AnchorCheck is Setting {
    function check_anchor(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.BatchRef calldata batch,
        uint16 institution,
        uint32 sequence,
        bytes32 key
    ) external {
        _enterUnbarred(caller, 1);
        vm.assume(_anchorBar < 5);
        Slot before = _slot(key);
        bytes32 head = _head(institution, sequence);
        bool isPlace = all(institution == caller.institution, sequence == batch.sequence);
        bool isAnchorable = all(
            all(sequence != 0, sequence < 2 ** 22), all(batch.size != 0, batch.size <= 1024)
        );
        unchecked {
            bytes32 previous = _head(institution, sequence - 1);
            bool isNext = all(previous == batch.previousHead, (previous == 0) == (sequence == 1));
            bytes memory data = abi.encodeCall(
                _ledger.anchor, (batch.sequence, batch.root, batch.size, batch.previousHead)
            );
            if (!_call(data)) return;
            bool isWritten = _head(institution, sequence) != head;
            assert(same(before, _slot(key)));
            assert(implies(isWritten, all(head == 0, all(isPlace, isNext))));
            assert(implies(isWritten, all(isAnchorable, _anchorBar == 0)));
        }
    }
}

/// @dev No claim is open and nothing is settled.
function isFree(Slot slot) pure returns (bool) {
    return Slot.unwrap(slot) & (SETTLED | (uint256(0xff) << 160)) == 0;
}

/// @dev Claim, counter and settled payers are the same; under a claim or a payment also the leaf and
/// the amounts; what is void or reversed stays so.
function isUntouched(Slot before, Slot later) pure returns (bool) {
    uint256 changed = Slot.unwrap(before) ^ Slot.unwrap(later);
    uint256 cleared = Slot.unwrap(before) & ~Slot.unwrap(later);
    return all(
        all(changed & (LOCK | COUNTER | SETTLED) == 0, cleared & WITHDRAWN == 0),
        implies(!isFree(before), changed & (2 ** 128 - 1) == 0)
    );
}
