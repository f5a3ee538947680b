// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {InclusionProof} from "../libraries/InclusionProof.sol";
import {
    ALIAS,
    AMOUNT_MAX,
    IS_PAPER,
    REVERSED,
    SEQUENCE_MAX,
    Slot,
    VOID,
    WITHDRAWN_MASK,
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
    uint32 private constant _SEQUENCE_MASK = uint32(SEQUENCE_MAX);

    /// @dev Who calls, read once a call, and the item that the call is at.
    /// @param item index of the item. It is kept here since the compiler writes every function that
    /// is given a literal index a second time for it, which would pass the limit of 24,576 bytes
    /// @param bar what bars every item of the call, or 0
    /// @param payer or `institution`: for whom the account acts
    /// @param watched the bits of a slot of which one makes a payment ask `_payableBar`
    /// @param own the payer's bit among settled payers
    /// @param rivals the bits of the payers of which one settlement bars this payer: its own, and
    /// for a basic insurer those of all basic insurers
    /// @param published the policy hash last found published in this call
    struct Caller {
        uint256 item;
        uint256 bar;
        uint256 payer;
        uint256 own;
        uint256 rivals;
        uint256 watched;
        uint256 institution;
        uint256 unpausedAt;
        bool paused;
        bool hasQuarantines;
        bool isBasic;
        bytes32 published;
    }

    function _requirePayer() internal view returns (Caller memory who) {
        IRegistry.CallerContext memory context;
        (who, context) = _anyone();
        if (context.payer == 0) revert LedgerNotPayer(msg.sender);
        _barSuspended(who, context);
        who.payer = context.payer;
        who.hasQuarantines = context.hasQuarantines;
        who.watched = context.hasQuarantines ? type(uint256).max : WITHDRAWN_MASK;
        who.own = payerBit(context.payer);
        who.isBasic = context.basicPayers & who.own != 0;
        who.rivals = who.isBasic ? context.basicPayers : who.own;
    }

    function _requireIssuer() internal view returns (Caller memory who) {
        IRegistry.CallerContext memory context;
        (who, context) = _anyone();
        if (context.institution == 0) revert LedgerNotInstitution(msg.sender);
        _barSuspended(who, context);
        who.institution = context.institution;
    }

    function _anyone()
        internal
        view
        returns (Caller memory who, IRegistry.CallerContext memory context)
    {
        context = registry.callerContext(msg.sender);
        if (context.generation != generation) who.bar = uint256(Outcome.Retired);
        who.paused = context.paused;
        who.unpausedAt = context.unpausedAt;
    }

    function _barSuspended(Caller memory who, IRegistry.CallerContext memory context)
        private
        pure
    {
        if (context.suspended && who.bar == 0) who.bar = uint256(Outcome.Suspended);
    }

    function _requireSize(uint256 items, uint256 batches) internal pure {
        if (
            items > MAX_BATCH_ITEMS || batches > MAX_BATCH_ITEMS
                || msg.data.length > MAX_CALLDATA_BYTES
        ) revert LedgerCallTooLarge(items, batches, msg.data.length);
    }

    function _stateBar(Slot slot_) internal pure returns (uint256) {
        if (!slot_.isWithdrawn()) return 0;
        if (slot_.hasFlag(IS_PAPER)) return uint256(Outcome.IsPaper);
        if (slot_.hasFlag(VOID)) return uint256(Outcome.IsVoid);
        if (slot_.hasFlag(REVERSED)) return uint256(Outcome.IsReversed);
        return uint256(Outcome.IsOnPaper);
    }

    /// @dev What bars money on a bound bill, apart from claims and sums.
    function _payableBar(Slot slot_, Caller memory who) internal view returns (uint256 bar) {
        bar = _stateBar(slot_);
        if (bar == 0 && who.hasQuarantines) {
            uint48 leafRef = slot_.leafReference();
            uint32 sequence = uint32(leafRef >> 10) & _SEQUENCE_MASK;
            (, bool quarantined) = registry.batchContext(uint16(leafRef >> 32), sequence);
            if (quarantined) return uint256(Outcome.Quarantined);
        }
    }

    /// @dev A bill under claim or paid on is not rebound.
    function _busyBar(Slot slot_) internal pure returns (uint256) {
        if (slot_.openPayer() != 0) return _bar(Outcome.Locked, _claimHolder(slot_));
        uint256 settled = slot_.settledPayers();
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

    /// @param opened what the batch reference opens, see `_open`
    function _proofBar(
        BatchRef calldata batch,
        bytes32 opened,
        Leaf calldata leaf,
        uint256 leafIndex,
        bytes32[] calldata proof
    ) internal view returns (uint256) {
        if (opened == 0) return uint256(Outcome.BadBatch);
        if (leaf.institutionCode != bytes16(opened)) return uint256(Outcome.ForeignLeaf);
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

    function _isPublished(bytes32 policyHash, Caller memory who) internal view returns (bool) {
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
        return !second.hasFlag(ALIAS) || _primaryKey(leaf.secondKey) != leaf.invoiceKey;
    }
}
