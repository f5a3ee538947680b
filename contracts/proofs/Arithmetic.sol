// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// What the compiler's model checker proves of the arithmetic, one contract each: every assertion, and
// that no checked operation overflows. `Planted...` must be refuted. That the ledger's bit operations
// are this arithmetic is proved bit by bit in `ClaimProofs.sol`.

/// @dev A payment that is added at the place of the paid sum stays in its field: what lies above and
/// below is untouched.
contract Payment {
    function check(uint256 above, uint40 total, uint40 paid, uint64 amount) external pure {
        require(above < 2 ** 176 && paid <= total && amount <= total - paid);
        uint256 below = uint256(paid) * 2 ** 40 + total;
        uint256 later = above * 2 ** 80 + below + uint256(amount) * 2 ** 40;
        assert(later / 2 ** 80 == above);
        assert((later / 2 ** 40) % 2 ** 40 == uint256(paid) + amount);
    }
}

/// @dev The same without the refusal of what passes the total.
contract PlantedPayment {
    function check(uint40 total, uint40 paid, uint64 amount) external pure {
        require(paid <= total);
        uint256 sum = uint256(paid) + amount;
        assert(sum * 2 ** 40 + total < 2 ** 80);
    }
}

/// @dev Two leaf references are equal only if institution, sequence and index are.
contract References {
    function check(uint16 institution, uint32 sequence, uint16 leafIndex) external pure {
        require(sequence < 2 ** 22 && leafIndex < 2 ** 10);
        uint256 leafRef = uint256(institution) * 2 ** 32 + uint256(sequence) * 2 ** 10 + leafIndex;
        assert(leafRef < 2 ** 48);
        assert(leafRef / 2 ** 32 == institution);
        assert((leafRef / 2 ** 10) % 2 ** 22 == sequence);
        assert(leafRef % 2 ** 10 == leafIndex);
    }
}
