// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Slot} from "../libraries/Slot.sol";

// As `Arithmetic.sol`, of the functions of the slot library that the sums rest on.

/// @dev The amounts that are read from any word fit their fields.
contract Fields {
    function check(uint256 word) external pure {
        Slot slot = Slot.wrap(word);
        assert(slot.total() < 2 ** 40);
        assert(slot.paid() < 2 ** 40);
    }
}

/// @dev What is left is the total less the paid sum, and does not wrap in a sound slot.
contract Rest {
    function check(uint256 word) external pure {
        Slot slot = Slot.wrap(word);
        uint256 sum = slot.paid();
        require(sum <= slot.total());
        assert(slot.left() + sum == slot.total());
    }
}
