// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot} from "../libraries/Slot.sol";
import {Setting, all, implies, isSound, ownBit, rivals, same} from "./Setting.sol";

// What payers and time do to the slot of any key. Each proof looks at the slot of one key, which may
// or may not be the item's, before and after one call with any arguments in any sound state. Together
// they hold for every history by induction: a fresh ledger's slots are zero, which is sound.

uint256 constant ONE_PAID = 1 << 40;
uint256 constant LOCK = (2 ** 40 - 1) << 128;

/// @dev The views of a first ledger say what is stored.
abstract contract ViewsCheck is Setting {
    function check_views(bytes32 key, uint16 institution, uint32 sequence) external {
        assert(_ledger.slot(key) == Slot.unwrap(_slot(key)));
        assert(_ledger.primaryKey(key) == _primaryKey(key));
        assert(_ledger.head(institution, sequence) == _head(institution, sequence));
        assert(_ledger.recoveryDigest(key) == _recovery(key));
    }
}

/// @dev Settle: only the open claim's own payer, with the claim's own counter, once; of basic insurers
/// one in all; never over the total. The sum grows by the amount, the lock goes, nothing else changes.
abstract contract SettleCheck is Setting {
    function check_settle(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.SettleItem calldata item,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        if (!_call(abi.encodeCall(_ledger.settle, (item)))) return;
        Slot later = _slot(key);
        bool isClaim = all(before.openPayer() == caller.payer, before.counter() == item.counter);
        bool isFirst = before.settledPayers() & rivals(caller) == 0;
        unchecked {
            uint256 expected = (Slot.unwrap(before) & ~LOCK) + ONE_PAID * item.amount
                + (ownBit(caller) << 192);
            bool isPaid = Slot.unwrap(later) == expected;
            bool isAllowed = all(key == item.invoiceKey, all(isClaim, isFirst));
            assert(isSound(later, caller.basicPayers));
            assert(implies(!same(before, later), all(isAllowed, isPaid)));
        }
    }
}

/// @dev Two settle items in one call, such as the same item twice: at most one pays on a bill.
abstract contract SettleBatchCheck is Setting {
    function check_settleBatch(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.SettleItem calldata first,
        IInvoiceLedger.SettleItem calldata second,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        IInvoiceLedger.SettleItem[] memory items = new IInvoiceLedger.SettleItem[](2);
        (items[0], items[1]) = (first, second);
        if (!_call(abi.encodeCall(_ledger.settleBatch, (items)))) return;
        Slot later = _slot(key);
        unchecked {
            uint256 grown = later.paid() - before.paid();
            bool isFirst = all(key == first.invoiceKey, grown == first.amount);
            bool isSecond = all(key == second.invoiceKey, grown == second.amount);
            assert(isSound(later, caller.basicPayers));
            assert(implies(grown != 0, implies(!isFirst, isSecond)));
        }
    }
}

/// @dev Supplement: only a payer that has settled, from the sum that it names, never over the total.
abstract contract SupplementCheck is Setting {
    function check_supplement(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.SupplementItem calldata item,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        if (!_call(abi.encodeCall(_ledger.supplement, (item)))) return;
        Slot later = _slot(key);
        unchecked {
            bool isAllowed = all(
                all(key == item.invoiceKey, before.settledPayers() & ownBit(caller) != 0),
                all(item.paidBefore == before.paid(), before.openPayer() == 0)
            );
            // A claim's deadline may be left over where no claim is open only in unreachable slots.
            uint256 expected = (Slot.unwrap(before) & ~LOCK) + ONE_PAID * item.amount;
            bool isPaid = Slot.unwrap(later) == expected;
            assert(isSound(later, caller.basicPayers));
            assert(implies(!same(before, later), all(isAllowed, isPaid)));
        }
    }
}

/// @dev Recover: no slot changes, and a number that stands for a recovery stands for it for ever.
abstract contract RecoverCheck is Setting {
    function check_recover(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.RecoverItem calldata item,
        bytes32 key,
        bytes32 number,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _slot(key);
        Slot ofItem = _slot(item.invoiceKey);
        bytes32 digest = _recovery(number);
        if (!_call(abi.encodeCall(_ledger.recover, (item)))) return;
        bool isAllowed = all(
            all(digest == 0, number == item.recoveryNumber),
            all(ofItem.settledPayers() & ownBit(caller) != 0, item.amount <= ofItem.paid())
        );
        assert(same(_slot(key), before));
        assert(implies(_recovery(number) != digest, isAllowed));
    }
}

/// @dev Release: only the open claim's own payer with its counter; what was settled stays.
abstract contract ReleaseCheck is Setting {
    function check_release(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.ReleaseItem calldata item,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        if (!_call(abi.encodeCall(_ledger.release, (item)))) return;
        Slot later = _slot(key);
        bool isClaim = all(before.openPayer() == caller.payer, before.counter() == item.counter);
        bool isAllowed = all(key == item.invoiceKey, isClaim);
        assert(isSound(later, caller.basicPayers));
        assert(implies(!same(before, later), all(isAllowed, isEnded(before, later))));
    }
}

/// @dev Expire: only after the deadline, not while paused nor in the grace after; what was settled
/// stays.
abstract contract ExpireCheck is Setting {
    function check_expire(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.ExpireItem calldata item,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        if (!_call(abi.encodeCall(_ledger.expire, (item)))) return;
        Slot later = _slot(key);
        bool isClaim = all(before.openPayer() != 0, before.counter() == item.counter);
        bool isDue = all(
            time > before.deadline(),
            all(!caller.paused, time >= uint256(caller.unpausedAt) + 7 days)
        );
        bool isAllowed = all(key == item.invoiceKey, all(isClaim, isDue));
        assert(isSound(later, caller.basicPayers));
        assert(implies(!same(before, later), all(isAllowed, isEnded(before, later))));
    }
}

/// @dev Renew: only the open claim's own payer with its counter; a later deadline and nothing else.
abstract contract RenewCheck is Setting {
    function check_renew(
        IRegistry.CallerContext calldata caller,
        IInvoiceLedger.RenewItem calldata item,
        bytes32 key,
        uint32 time
    ) external {
        _enter(caller, time);
        Slot before = _soundSlot(caller, key);
        if (!_call(abi.encodeCall(_ledger.renew, (item)))) return;
        Slot later = _slot(key);
        bool isClaim = all(before.openPayer() == caller.payer, before.counter() == item.counter);
        uint256 changed = Slot.unwrap(later) ^ Slot.unwrap(before);
        bool isOnlyDeadline = all(
            changed & ~(uint256(type(uint32).max) << 128) == 0,
            later.deadline() >= before.deadline()
        );
        bool isAllowed = all(key == item.invoiceKey, isClaim);
        assert(implies(!same(before, later), all(isAllowed, isOnlyDeadline)));
    }
}

/// @dev A claim has ended without payment: what was settled stays with its sum and its leaf; with
/// nothing settled the binding goes, unless it is pinned. The counter stays.
function isEnded(Slot before, Slot later) pure returns (bool) {
    uint256 kept = (uint256(0xffff) << 168) | (uint256(64) << 184);
    bool isUnlocked = Slot.unwrap(later) == Slot.unwrap(before) & ~LOCK;
    bool isCleared = Slot.unwrap(later) == Slot.unwrap(before) & kept;
    bool isBare = all(before.settledPayers() == 0, before.flags() & 1 == 0);
    return all(implies(isBare, isCleared), implies(!isBare, isUnlocked));
}
