// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot} from "../libraries/Slot.sol";
import {Bill, leafOf, proofOf, referenceOf} from "./Bill.sol";
import {Setting, all, implies, isSound, rivals, same} from "./Setting.sol";

struct Lodge {
    Bill bill;
    uint16 counter;
    uint32 deadline;
}

/// @dev Lodge: never over an open claim, never by a payer that has settled nor by a second basic
/// insurer, only with the next counter. What was settled stays with its sum and its leaf. The only
/// other slot that changes is that of the bill's second key, when no claim or payment is there.
abstract contract LodgeCheck is Setting {
    function check_lodge(
        IRegistry.CallerContext calldata caller,
        Lodge calldata lodge,
        bytes32 key,
        uint32 time
    ) external {
        _enterUnbarred(caller, time);
        _assumeAnchored(lodge.bill.batch);
        _assumeEarlyPayers(lodge.bill.invoiceKey);
        Slot before = _soundSlot(caller, key);
        if (!_lodge(lodge)) return;
        Slot later = _slot(key);
        bool isChanged = !same(before, later);
        bool isSecond = all(key == lodge.bill.secondKey, key != lodge.bill.invoiceKey);
        assert(isSound(later, caller.basicPayers));
        assert(later.settledPayers() == before.settledPayers());
        assert(implies(before.settledPayers() != 0, isKept(before, later)));
        assert(implies(isChanged, before.openPayer() == 0));
        assert(implies(all(isChanged, isSecond), later.counter() == before.counter()));
        bool isFree = before.settledPayers() & rivals(caller) == 0;
        bool isOpened =
            all(all(isFree, later.openPayer() == caller.payer), isNext(before, later, lodge));
        assert(
            implies(
                all(isChanged, !isSecond), all(key == lodge.bill.invoiceKey, isOpened)
            )
        );
        assert(implies(isOpened, implies(isChanged, deadlineFits(later, lodge, time))));
    }

    function _lodge(Lodge calldata lodge) private returns (bool) {
        IInvoiceLedger.LodgeItem memory item;
        item.leaf = leafOf(lodge.bill);
        item.leafIndex = lodge.bill.leafIndex;
        item.counter = lodge.counter;
        item.deadline = lodge.deadline;
        item.proof = proofOf(lodge.bill);
        return _call(abi.encodeCall(_ledger.lodge, (lodge.bill.batch, item)));
    }
}

/// @dev Total, paid sum and leaf are the same.
function isKept(Slot before, Slot later) pure returns (bool) {
    return (Slot.unwrap(later) ^ Slot.unwrap(before)) & (2 ** 128 - 1) == 0;
}

/// @dev The claim has the next number, and the bill the leaf that was named.
function isNext(Slot before, Slot later, Lodge calldata lodge) pure returns (bool) {
    unchecked {
        return all(
            all(lodge.counter == later.counter(), uint256(before.counter()) + 1 == lodge.counter),
            later.leafReference() == referenceOf(lodge.bill)
        );
    }
}

function deadlineFits(Slot later, Lodge calldata lodge, uint32 time) pure returns (bool) {
    return all(later.deadline() == lodge.deadline, lodge.deadline > time);
}
