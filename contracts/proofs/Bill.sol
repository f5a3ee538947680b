// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";

/// @dev A leaf in a batch, with a proof of one level: how proofs of other lengths are judged is no
/// matter of slots, and is compared with the vectors of other implementations by the tests.
struct Bill {
    IInvoiceLedger.BatchRef batch;
    bytes16 institutionCode;
    uint8 kind;
    bytes32 invoiceKey;
    bytes32 secondKey;
    uint64 total;
    uint64 borne;
}

function leafOf(Bill calldata bill) pure returns (IInvoiceLedger.Leaf memory leaf) {
    leaf.institutionCode = bill.institutionCode;
    leaf.kind = bill.kind;
    leaf.invoiceKey = bill.invoiceKey;
    leaf.secondKey = bill.secondKey;
    leaf.total = bill.total;
    leaf.borne = bill.borne;
}

/// @dev The batch of which the bill is the only leaf.
function batchOf(Bill calldata bill) pure returns (IInvoiceLedger.BatchRef memory batch) {
    batch = bill.batch;
    batch.size = 1;
}

function leafProofOf(Bill calldata bill)
    pure
    returns (IInvoiceLedger.LeafProof memory item)
{
    item.leaf = leafOf(bill);
}

/// @dev The layout of a leaf reference, for a batch that can be anchored.
function referenceOf(Bill calldata bill) pure returns (uint256) {
    return (uint256(bill.batch.institution) << 32) | (uint256(bill.batch.sequence) << 10);
}
