// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot} from "../libraries/Slot.sol";
import {Bill, batchOf, leafOf, referenceOf} from "./Bill.sol";
import {Setting, all, implies, isSound, rivals, same} from "./Setting.sol";

struct Lodge {
    Bill bill;
    uint16 counter;
    uint32 deadline;
    bytes24 slot;
    bytes24 primary;
}

// Keys are compared and hashed, and nothing else: those of the proof stand for any that differ.
bytes32 constant BILL = bytes32(uint256(1));
bytes32 constant SECOND = bytes32(uint256(2));
bytes32 constant PRIMARY = bytes32(uint256(4));
bytes32 constant OTHER = bytes32(uint256(3));

/// @dev Lodge: never over an open claim, never by a payer that has settled nor by a second basic
/// insurer, only with the next counter. What was settled stays with its sum and its leaf. The only
/// other slot that changes is that of the bill's second key, when no claim or payment is there.
abstract contract LodgeCheck is Setting {
    function check_lodge(
        IRegistry.CallerContext calldata caller,
        Lodge calldata lodge,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeAnchored(batchOf(lodge.bill));
        _giveSlot(BILL, _settled(), lodge.slot);
        _givePrimary(BILL, PRIMARY);
        _givePrimary(SECOND, _primaryOfSecond());
        _giveSlot(PRIMARY, 0, lodge.primary);
        Slot bill = _soundSlot(caller, BILL);
        Slot second = _soundSlot(caller, SECOND);
        Slot other = _slot(OTHER);
        if (!_lodge(lodge)) return;
        assert(
            all(
                _isOpened(caller, lodge, bill),
                all(_isMarked(caller, second), same(_slot(OTHER), other))
            )
        );
    }

    function _isOpened(
        IRegistry.CallerContext calldata caller,
        Lodge calldata lodge,
        Slot before
    ) private view returns (bool) {
        Slot later = _slot(BILL);
        bool isFree = all(
            before.openPayer() == 0, before.settledPayers() & rivals(caller) == 0
        );
        bool isFine = all(isSound(later, caller.basicPayers), isKept(before, later));
        bool isOpened = all(isFree, isClaimOf(before, later, lodge, caller.payer));
        return all(isFine, implies(!same(before, later), isOpened));
    }

    function _isMarked(IRegistry.CallerContext calldata caller, Slot before)
        private
        view
        returns (bool)
    {
        Slot later = _slot(SECOND);
        bool isFine = all(isSound(later, caller.basicPayers), isKept(before, later));
        bool isFree =
            all(before.openPayer() == 0, later.counter() == before.counter());
        return all(isFine, implies(!same(before, later), all(_secondKey() != 0, isFree)));
    }

    /// @dev The second key of the bill; 0 when it has none.
    function _secondKey() internal pure virtual returns (bytes32) {
        return 0;
    }

    /// @dev The bill of which the second key was marked before, if it was.
    function _primaryOfSecond() internal pure virtual returns (bytes32) {
        return PRIMARY;
    }

    /// @dev The payers that have settled the bill, a bit each.
    function _settled() internal pure virtual returns (bytes1);

    function _lodge(Lodge calldata lodge) private returns (bool) {
        IInvoiceLedger.LodgeItem memory item;
        item.leaf = leafOf(lodge.bill);
        (item.leaf.invoiceKey, item.leaf.secondKey) = (BILL, _secondKey());
        item.counter = lodge.counter;
        item.deadline = lodge.deadline;
        return _call(abi.encodeCall(_ledger.lodge, (batchOf(lodge.bill), item)));
    }
}

/// @dev Who has settled is the same; if somebody has, total, paid sum and leaf are too.
function isKept(Slot before, Slot later) pure returns (bool) {
    uint256 changed = Slot.unwrap(later) ^ Slot.unwrap(before);
    return all(
        changed >> 192 == 0,
        implies(before.settledPayers() != 0, changed & (2 ** 128 - 1) == 0)
    );
}

/// @dev The payer's claim is open with the next number until the deadline that was named, and the
/// bill has the leaf that was named.
function isClaimOf(Slot before, Slot later, Lodge calldata lodge, uint256 payer)
    view
    returns (bool)
{
    unchecked {
        bool isNext = all(
            lodge.counter == later.counter(), uint256(before.counter()) + 1 == lodge.counter
        );
        bool isUntil =
            all(later.deadline() == lodge.deadline, lodge.deadline > block.timestamp);
        bool isNamed = later.leafReference() == referenceOf(lodge.bill);
        return all(all(later.openPayer() == payer, isNext), all(isUntil, isNamed));
    }
}
