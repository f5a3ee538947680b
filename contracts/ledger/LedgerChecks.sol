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
    lowestPayer,
    payerBit
} from "../libraries/Slot.sol";
import {LedgerReports} from "./LedgerReports.sol";

/// @title Who may call, and the parts of which the checks of several calls are made
/// @dev A check named `...Bar` returns what bars the item, see `_bar`, or 0.
abstract contract LedgerChecks is LedgerReports {
    uint256 public constant MAX_BATCH_ITEMS = 100;
    uint256 public constant MAX_CALLDATA_BYTES = 128 * 1024;
    uint256 public constant MAX_LOCK_SECONDS = 180 days;

    uint8 internal constant _KIND_CLAIMABLE = 1;
    uint8 internal constant _KIND_SETTLED = 2;

    /// @dev Who calls for a payer, read once a call.
    /// @param own the payer's bit among settled payers
    /// @param rivals the bits of the payers of which one settlement bars this payer: its own, and
    /// for a basic insurer those of all basic insurers
    /// @param published the policy hash last found published in this call
    struct Payer {
        uint8 number;
        bool suspended;
        bool paused;
        bool isBasic;
        uint64 own;
        uint64 rivals;
        bytes32 published;
    }

    function _requirePayer() internal view returns (Payer memory who) {
        IRegistry.PayerContext memory context = registry.payerContext(msg.sender);
        if (context.payer == 0) revert LedgerNotPayer(msg.sender);
        who.number = context.payer;
        who.suspended = context.suspended;
        who.paused = context.paused;
        who.own = payerBit(context.payer);
        who.isBasic = context.basicPayers & who.own != 0;
        who.rivals = who.isBasic ? context.basicPayers : who.own;
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

    function _stateBar(Slot slot_) internal pure returns (uint256) {
        if (!slot_.isWithdrawn()) return 0;
        if (slot_.hasFlag(VOID)) return uint256(Outcome.IsVoid);
        if (slot_.hasFlag(REVERSED)) return uint256(Outcome.IsReversed);
        return uint256(Outcome.IsOnPaper);
    }

    /// @dev A bill under claim or paid on is not rebound.
    function _busyBar(Slot slot_) internal pure returns (uint256) {
        if (slot_.openPayer() != 0) return _bar(Outcome.Locked, _claimHolder(slot_));
        uint64 settled = slot_.settledPayers();
        if (settled != 0) return _bar(Outcome.Settled, lowestPayer(settled));
        return 0;
    }

    /// @dev What can be seen from a leaf alone.
    function _leafBar(Leaf calldata leaf) internal pure returns (uint256) {
        uint8 kind = leaf.kind;
        if (kind != _KIND_CLAIMABLE && kind != _KIND_SETTLED) return uint256(Outcome.KindRefused);
        uint64 total = leaf.total;
        if (
            total > AMOUNT_MAX || leaf.borne > total || leaf.invoiceKey == 0
                || leaf.secondKey == leaf.invoiceKey
        ) return uint256(Outcome.BadLeaf);
        return 0;
    }

    /// @param code of the batch's issuer when the batch reference is true, else zero
    function _proofBar(
        BatchRef calldata batch,
        bytes16 code,
        Leaf calldata leaf,
        uint256 leafIndex,
        bytes32[] calldata proof
    ) internal view returns (uint256) {
        if (code == 0) return uint256(Outcome.BadBatch);
        if (leaf.institutionCode != code) return uint256(Outcome.ForeignLeaf);
        bool included = InclusionProof.isIncluded(
            Commitments.leafHash(leaf), leafIndex, batch.size, proof, batch.root
        );
        return included ? 0 : uint256(Outcome.BadProof);
    }

    function _isDeadline(uint32 deadline) internal view returns (bool) {
        return deadline > block.timestamp && deadline <= block.timestamp + MAX_LOCK_SECONDS;
    }

    /// @dev Release and expire of a claim that is not open: done before, or another's.
    function _notOpen(Slot slot_, uint16 counter) internal pure returns (uint256) {
        if (slot_.openPayer() == 0 && slot_.counter() == counter && counter != 0) {
            return uint256(Outcome.Repeated);
        }
        return _bar(Outcome.Stale, _claimHolder(slot_));
    }

    function _isPublished(bytes32 policyHash, Payer memory who) internal view returns (bool) {
        if (policyHash == who.published) return policyHash != 0;
        (uint32 publishedAt,) = registry.policy(policyHash);
        if (publishedAt == 0) return false;
        who.published = policyHash;
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
