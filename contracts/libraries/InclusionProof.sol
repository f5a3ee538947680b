// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title RFC 9162 inclusion proofs over SHA-256
library InclusionProof {
    /// @notice Whether `proof` leads from `leafHash` at `leafIndex` to `root` in a tree of
    /// `treeSize` leaves, by the algorithm of RFC 9162, section 2.1.3.2.
    /// @dev The only assembly of the contracts: the loop in plain Solidity costs 7,000 gas more at
    /// depth 10, since it allocates and copies 65 bytes a level. Memory-safe: it writes to scratch
    /// space and beyond the free-memory pointer only. The SHA-256 precompile (address 2) fails only
    /// when gas runs out; then the call reverts.
    function isIncluded(
        bytes32 leafHash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] calldata proof,
        bytes32 root
    ) internal view returns (bool included) {
        if (leafIndex >= treeSize) return false;
        assembly ("memory-safe") {
            let fn := leafIndex
            let sn := sub(treeSize, 1)
            let hash := leafHash
            // Input of a node hash: 0x01 || left || right, 65 bytes.
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            let left := add(buffer, 1)
            let right := add(buffer, 33)
            let cursor := proof.offset
            let end := add(cursor, shl(5, proof.length))
            // `sn` before the last element: zero when there are more elements than levels, since
            // `sn` only falls. Both this and the precompile's success are asked for at the end.
            let last := 1
            let success := 1
            for {} lt(cursor, end) { cursor := add(cursor, 32) } {
                last := sn
                if eq(fn, sn) {
                    // The last node of a level without sibling rises until it has one.
                    for {} iszero(or(and(fn, 1), iszero(fn))) {} {
                        fn := shr(1, fn)
                        sn := shr(1, sn)
                    }
                }
                // 0 when the hash is the left node, 32 when it is the right one.
                let side := shl(5, and(fn, 1))
                mstore(add(left, side), hash)
                mstore(sub(right, side), calldataload(cursor))
                success := and(success, staticcall(gas(), 2, buffer, 65, 0, 32))
                hash := mload(0)
                fn := shr(1, fn)
                sn := shr(1, sn)
            }
            if iszero(success) { revert(0, 0) }
            included := and(iszero(iszero(last)), and(iszero(sn), eq(hash, root)))
        }
    }
}
