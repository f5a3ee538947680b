// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {InclusionProof} from "../libraries/InclusionProof.sol";
import {
    ALIAS,
    AMOUNT_MAX,
    ON_PAPER,
    REVERSED,
    Slot,
    VOID,
    lowestPayer
} from "../libraries/Slot.sol";
import {LedgerReports} from "./LedgerReports.sol";

/// @title Who may call, and the parts of which the checks of several calls are made
/// @dev A check named `...Bar` returns the outcome that bars the item, or `Done`.
abstract contract LedgerChecks is LedgerReports {
    uint256 public constant MAX_BATCH_ITEMS = 100;
    uint256 public constant MAX_CALLDATA_BYTES = 128 * 1024;
    uint256 public constant MAX_LOCK_SECONDS = 180 days;

    uint8 internal constant _KIND_CLAIMABLE = 1;
    uint8 internal constant _KIND_SETTLED = 2;

    function _requirePayer() internal view returns (IRegistry.PayerContext memory who) {
        who = registry.payerContext(msg.sender);
        if (who.payer == 0) revert LedgerNotPayer(msg.sender);
    }

    function _requireRegistrar() internal view {
        if (!registry.isRegistrar(msg.sender)) revert LedgerNotRegistrar(msg.sender);
    }

    function _requireSize(uint256 items, uint256 batches) internal pure {
        if (
            items > MAX_BATCH_ITEMS || batches > MAX_BATCH_ITEMS
                || msg.data.length > MAX_CALLDATA_BYTES
        ) revert LedgerCallTooLarge(items, batches, msg.data.length);
    }

    /// @dev Voided, reversed and exchanged bills are not payable.
    function _stateBar(Slot slot_) internal pure returns (Outcome) {
        if (slot_.hasFlag(VOID)) return Outcome.IsVoid;
        if (slot_.hasFlag(REVERSED)) return Outcome.IsReversed;
        if (slot_.hasFlag(ON_PAPER)) return Outcome.IsOnPaper;
        return Outcome.Done;
    }

    /// @dev A bill under claim or paid on is not rebound.
    function _busyBar(Slot slot_) internal pure returns (Outcome, uint256) {
        if (slot_.openPayer() != 0) return (Outcome.Locked, _claimHolder(slot_));
        uint64 settled = slot_.settledPayers();
        if (settled != 0) return (Outcome.Settled, lowestPayer(settled));
        return (Outcome.Done, 0);
    }

    /// @dev What can be seen from a leaf alone.
    function _leafBar(Leaf calldata leaf) internal pure returns (Outcome) {
        if (leaf.kind != _KIND_CLAIMABLE && leaf.kind != _KIND_SETTLED) return Outcome.KindRefused;
        if (
            leaf.total > AMOUNT_MAX || leaf.borne > leaf.total || leaf.invoiceKey == 0
                || leaf.secondKey == leaf.invoiceKey
        ) return Outcome.BadLeaf;
        return Outcome.Done;
    }

    /// @param code of the batch's issuer when the batch reference is true, else zero
    function _proofBar(
        BatchRef calldata batch,
        bytes16 code,
        Leaf calldata leaf,
        uint256 leafIndex,
        bytes32[] calldata proof
    ) internal view returns (Outcome) {
        if (code == 0) return Outcome.BadBatch;
        if (leaf.institutionCode != code) return Outcome.ForeignLeaf;
        bool included = InclusionProof.isIncluded(
            Commitments.leafHash(leaf), leafIndex, batch.size, proof, batch.root
        );
        return included ? Outcome.Done : Outcome.BadProof;
    }

    function _isDeadline(uint32 deadline) internal view returns (bool) {
        return deadline > block.timestamp && deadline <= block.timestamp + MAX_LOCK_SECONDS;
    }

    function _isOpen(Slot slot_, uint8 payer, uint16 counter) internal pure returns (bool) {
        return slot_.openPayer() == payer && slot_.counter() == counter;
    }

    /// @dev Release and expire of a claim that is not open: done before, or another's.
    function _notOpen(Slot slot_, uint16 counter) internal pure returns (Outcome, uint256) {
        if (slot_.openPayer() == 0 && slot_.counter() == counter && counter != 0) {
            return (Outcome.Repeated, 0);
        }
        return (Outcome.Stale, _claimHolder(slot_));
    }

    function _isPublished(bytes32 policyHash, bytes32[] memory known) internal view returns (bool) {
        if (policyHash == 0) return false;
        if (known[0] == policyHash) return true;
        (uint32 publishedAt,) = registry.policy(policyHash);
        if (publishedAt == 0) return false;
        known[0] = policyHash;
        return true;
    }

    /// @dev Whether the second key belongs to another bill: it is bound itself, or it is the live
    /// alias of another invoice key.
    function _isSecondKeyBound(Leaf calldata leaf) internal view returns (bool) {
        if (leaf.secondKey == 0) return false;
        Slot second = _load(leaf.secondKey);
        if (second.leafReference() == 0) return false;
        return !second.hasFlag(ALIAS) || _primaryKeys[leaf.secondKey] != leaf.invoiceKey;
    }
}
