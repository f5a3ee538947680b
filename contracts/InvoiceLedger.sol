// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "./interfaces/IInvoiceLedger.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Commitments} from "./libraries/Commitments.sol";
import {InclusionProof} from "./libraries/InclusionProof.sol";
import {
    ALIAS,
    AMOUNT_MAX,
    INDEX_MAX,
    ON_PAPER,
    PINNED,
    REVERSED,
    SEQUENCE_MAX,
    Slot,
    VOID,
    lowestPayer,
    packReference,
    payerBit
} from "./libraries/Slot.sol";

/// @title The invoice ledger
/// @dev Specified in `IInvoiceLedger`. Each call has one private function that checks, writes and
/// emits for one item and is the same for the single and the batch entry point: it returns the
/// outcome and, for a refusal, the holder as payer | counter << 8. It changes nothing unless it
/// returns `Done`. Nothing here calls a contract other than the registry, and only its views.
contract InvoiceLedger is IInvoiceLedger {
    uint256 public constant MAX_BATCH_ITEMS = 100;
    uint256 public constant MAX_CALLDATA_BYTES = 128 * 1024;
    uint256 public constant MAX_LOCK_SECONDS = 180 days;
    uint256 public constant EXPIRY_GRACE_SECONDS = 7 days;
    uint256 public constant MAX_BATCH_LEAVES = INDEX_MAX + 1;

    uint8 private constant _KIND_CLAIMABLE = 1;
    uint8 private constant _KIND_SETTLED = 2;
    uint8 private constant _RULING_FLAGS = PINNED | VOID | REVERSED | ON_PAPER;

    /// @inheritdoc IInvoiceLedger
    IRegistry public immutable registry;

    mapping(bytes32 invoiceKey => Slot) private _slots;
    /// @dev Of a key whose slot has the flag `alias`: the key of the bill of which it is the second.
    /// The alias lives while that bill is bound to the same leaf, and is void of meaning afterwards.
    mapping(bytes32 secondKey => bytes32 invoiceKey) private _primaryKeys;
    mapping(uint256 institutionAndSequence => bytes32) private _heads;

    /// @dev Who calls for an institution.
    struct Issuer {
        uint16 institution;
        bool suspended;
        bool paused;
    }

    constructor(IRegistry registry_) {
        registry = registry_;
    }

    // ------------------------------------------------------------------------------- anchoring

    /// @inheritdoc IInvoiceLedger
    function anchor(uint32 sequence, bytes32 root, uint16 size, bytes32 previousHead) external {
        (uint16 institution, IRegistry.AnchorBar bar) = registry.anchorContext(msg.sender);
        if (institution == 0) revert LedgerNotInstitution(msg.sender);
        if (
            sequence == 0 || sequence > SEQUENCE_MAX || size == 0 || size > MAX_BATCH_LEAVES
                || root == 0
        ) revert LedgerAnchorInvalid(sequence, size);
        uint256 place = _place(institution, sequence);
        bytes32 present = _heads[place];
        bytes32 next = Commitments.head(institution, sequence, previousHead, root, size);
        AnchorOutcome outcome = _anchorOutcome(place, present, next, previousHead, bar);
        if (outcome == AnchorOutcome.Anchored) {
            _heads[place] = next;
            emit Anchored(institution, sequence, msg.sender, root, previousHead, next, size);
        } else {
            emit AnchorUnchanged(
                institution, sequence, msg.sender, outcome, root, previousHead, present, size
            );
        }
    }

    function _anchorOutcome(
        uint256 place,
        bytes32 present,
        bytes32 next,
        bytes32 previousHead,
        IRegistry.AnchorBar bar
    ) private view returns (AnchorOutcome) {
        if (present == next) return AnchorOutcome.Repeated;
        if (present != 0) return AnchorOutcome.Conflict;
        if (bar == IRegistry.AnchorBar.Paused) return AnchorOutcome.Paused;
        if (bar == IRegistry.AnchorBar.Suspended) return AnchorOutcome.Suspended;
        if (bar == IRegistry.AnchorBar.BeforeAgreement) return AnchorOutcome.BeforeAgreement;
        if (bar == IRegistry.AnchorBar.AfterGrace) return AnchorOutcome.AfterGrace;
        // Nothing is ever stored at sequence 0, so the first batch follows the zero head; and a
        // later one that names the zero head follows nothing.
        bool first = uint32(place) == 1;
        if (previousHead != _heads[place - 1] || (previousHead == 0) != first) {
            return AnchorOutcome.NotNext;
        }
        return AnchorOutcome.Anchored;
    }

    // ---------------------------------------------------------------------------------- claims

    /// @inheritdoc IInvoiceLedger
    function lodge(BatchRef calldata batch, LodgeItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) =
            item.batchIndex != 0 ? (Outcome.BadBatch, 0) : _lodge(0, who, batch, _open(batch), item);
        if (outcome == Outcome.Done) return;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        _refuse(
            Call.Lodge, outcome, item.leaf.invoiceKey, who.payer, item.counter, holder, leafRef
        );
    }

    /// @inheritdoc IInvoiceLedger
    function lodgeBatch(BatchRef[] calldata batches, LodgeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            LodgeItem calldata item = items[i];
            Outcome outcome = Outcome.BadBatch;
            uint256 holder = 0;
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                (outcome, holder) = _lodge(i, who, batch, codes[item.batchIndex], item);
                if (outcome == Outcome.Done) continue;
                leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
            }
            _unchanged(
                i,
                Call.Lodge,
                outcome,
                item.leaf.invoiceKey,
                who.payer,
                item.counter,
                holder,
                leafRef
            );
        }
    }

    function _lodge(
        uint256 index,
        IRegistry.PayerContext memory who,
        BatchRef calldata batch,
        bytes16 code,
        LodgeItem calldata item
    ) private returns (Outcome outcome, uint256 holder) {
        Leaf calldata leaf = item.leaf;
        uint48 leafRef = packReference(batch.institution, batch.sequence, item.leafIndex);
        Slot slot_ = _load(leaf.invoiceKey);
        (outcome, holder) = _lodgeBar(slot_, who, leafRef, item);
        if (outcome != Outcome.Done) return (outcome, holder);
        bool binds = slot_.leafReference() == 0;
        if (binds && _isSecondKeyBound(leaf)) return (Outcome.SecondKeyBound, 0);
        outcome = _proofBar(batch, code, leaf, item.leafIndex, item.proof);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (binds) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.locked(who.payer, item.counter, item.deadline);
        _slots[leaf.invoiceKey] = slot_;
        emit Lodged(
            leaf.invoiceKey,
            _detail(index, Call.Lodge, who.payer, item.counter, slot_, item.deadline, 0)
        );
        return (Outcome.Done, 0);
    }

    /// @dev The cheap checks of a lodge, in the order of the specification.
    function _lodgeBar(
        Slot slot_,
        IRegistry.PayerContext memory who,
        uint48 leafRef,
        LodgeItem calldata item
    ) private view returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        uint8 open = slot_.openPayer();
        if (
            open == who.payer && slot_.counter() == item.counter
                && slot_.leafReference() == leafRef
        ) return (Outcome.Repeated, 0);
        if (who.paused) return (Outcome.Paused, 0);
        if (open != 0) return (Outcome.Locked, _claimHolder(slot_));
        uint64 settled = slot_.settledPayers();
        uint64 own = payerBit(who.payer);
        bool isBasic = who.basicPayers & own != 0;
        if (settled != 0) {
            if (settled & own != 0) return (Outcome.SettledByPayer, who.payer);
            if (isBasic && settled & who.basicPayers != 0) {
                return (Outcome.SettledByBasic, lowestPayer(settled & who.basicPayers));
            }
        }
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        uint48 present = slot_.leafReference();
        if (present != 0 && (present != leafRef || slot_.hasFlag(ALIAS))) {
            return (Outcome.BoundElsewhere, _boundHolder(slot_, item.leaf.invoiceKey));
        }
        if (uint256(slot_.counter()) + 1 != item.counter) return (Outcome.Stale, 0);
        outcome = _leafBar(item.leaf);
        if (outcome == Outcome.Done && isBasic && item.leaf.kind == _KIND_SETTLED) {
            outcome = Outcome.KindNotForBasic;
        }
        if (outcome != Outcome.Done) return (outcome, 0);
        (uint256 total, uint256 paid) = present == 0
            ? (uint256(item.leaf.total), uint256(item.leaf.borne))
            : (slot_.total(), slot_.paid());
        if (paid >= total) return (Outcome.NothingLeft, lowestPayer(settled));
        return (_isDeadline(item.deadline) ? Outcome.Done : Outcome.BadDeadline, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function settle(SettleItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _settle(0, who, item, new bytes32[](1));
        if (outcome == Outcome.Done) return;
        _refuse(Call.Settle, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function settleBatch(SettleItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes32[] memory known = new bytes32[](1);
        for (uint256 i = 0; i < items.length; ++i) {
            SettleItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _settle(i, who, item, known);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Settle, outcome, item.invoiceKey, who.payer, item.counter, holder, 0
            );
        }
    }

    /// @param known one word of memory: the policy hash last found published in this call
    function _settle(
        uint256 index,
        IRegistry.PayerContext memory who,
        SettleItem calldata item,
        bytes32[] memory known
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        uint64 settled = slot_.settledPayers();
        uint64 own = payerBit(who.payer);
        if (settled & own != 0) return (Outcome.AlreadySettled, who.payer);
        if (!_isOpen(slot_, who.payer, item.counter)) return (Outcome.Stale, _claimHolder(slot_));
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        // Cannot happen while lodge refuses it; asked again because money follows.
        if (own & who.basicPayers != 0 && settled & who.basicPayers != 0) {
            return (Outcome.SettledByBasic, lowestPayer(settled & who.basicPayers));
        }
        if (item.amount > slot_.total() - slot_.paid()) return (Outcome.OverTotal, 0);
        if (!_isPublished(item.policyHash, known)) return (Outcome.PolicyUnknown, 0);
        slot_ = slot_.settled(who.payer, item.amount);
        _slots[item.invoiceKey] = slot_;
        emit Settled(
            item.invoiceKey,
            _detail(
                index,
                Call.Settle,
                who.payer,
                item.counter,
                slot_,
                item.amount,
                item.decisionVersion
            ),
            item.decisionFingerprint,
            item.policyHash
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function release(ReleaseItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _release(0, who, item, new bytes32[](1));
        if (outcome == Outcome.Done) return;
        _refuse(Call.Release, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function releaseBatch(ReleaseItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        bytes32[] memory known = new bytes32[](1);
        for (uint256 i = 0; i < items.length; ++i) {
            ReleaseItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _release(i, who, item, known);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Release, outcome, item.invoiceKey, who.payer, item.counter, holder, 0
            );
        }
    }

    function _release(
        uint256 index,
        IRegistry.PayerContext memory who,
        ReleaseItem calldata item,
        bytes32[] memory known
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        if (!_isOpen(slot_, who.payer, item.counter)) return _notOpen(slot_, item.counter);
        if (item.reason == ReleaseReason.Refused && !_isPublished(item.policyHash, known)) {
            return (Outcome.PolicyUnknown, 0);
        }
        _slots[item.invoiceKey] = slot_.unlocked();
        emit Released(
            item.invoiceKey,
            _detail(
                index,
                Call.Release,
                who.payer,
                item.counter,
                slot_,
                uint256(item.reason),
                item.decisionVersion
            ),
            item.decisionFingerprint,
            item.policyHash
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renew(RenewItem calldata item) external {
        IRegistry.PayerContext memory who = _requirePayer();
        (Outcome outcome, uint256 holder) = _renew(0, who, item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Renew, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function renewBatch(RenewItem[] calldata items) external {
        _requireSize(items.length, 0);
        IRegistry.PayerContext memory who = _requirePayer();
        for (uint256 i = 0; i < items.length; ++i) {
            RenewItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _renew(i, who, item);
            if (outcome == Outcome.Done) continue;
            _unchanged(i, Call.Renew, outcome, item.invoiceKey, who.payer, item.counter, holder, 0);
        }
    }

    function _renew(
        uint256 index,
        IRegistry.PayerContext memory who,
        RenewItem calldata item
    ) private returns (Outcome, uint256) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Slot slot_ = _slots[item.invoiceKey];
        if (!_isOpen(slot_, who.payer, item.counter)) return (Outcome.Stale, _claimHolder(slot_));
        Outcome outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (item.deadline == slot_.deadline()) return (Outcome.Repeated, 0);
        if (item.deadline < slot_.deadline() || !_isDeadline(item.deadline)) {
            return (Outcome.BadDeadline, 0);
        }
        slot_ = slot_.renewed(item.deadline);
        _slots[item.invoiceKey] = slot_;
        emit Renewed(
            item.invoiceKey,
            _detail(index, Call.Renew, who.payer, item.counter, slot_, item.deadline, 0)
        );
        return (Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expire(ExpireItem calldata item) external {
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        (Outcome outcome, uint256 holder) = _expire(0, paused, unpausedAt, item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Expire, outcome, item.invoiceKey, 0, item.counter, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function expireBatch(ExpireItem[] calldata items) external {
        _requireSize(items.length, 0);
        (bool paused, uint32 unpausedAt) = registry.pauseState();
        for (uint256 i = 0; i < items.length; ++i) {
            ExpireItem calldata item = items[i];
            (Outcome outcome, uint256 holder) = _expire(i, paused, unpausedAt, item);
            if (outcome == Outcome.Done) continue;
            _unchanged(i, Call.Expire, outcome, item.invoiceKey, 0, item.counter, holder, 0);
        }
    }

    function _expire(uint256 index, bool paused, uint32 unpausedAt, ExpireItem calldata item)
        private
        returns (Outcome, uint256)
    {
        Slot slot_ = _slots[item.invoiceKey];
        uint8 open = slot_.openPayer();
        if (open == 0 || slot_.counter() != item.counter) return _notOpen(slot_, item.counter);
        if (paused) return (Outcome.Paused, 0);
        bool graceRuns =
            unpausedAt != 0 && block.timestamp < uint256(unpausedAt) + EXPIRY_GRACE_SECONDS;
        if (block.timestamp <= slot_.deadline() || graceRuns) {
            return (Outcome.NotDue, _claimHolder(slot_));
        }
        _slots[item.invoiceKey] = slot_.unlocked();
        emit Expired(
            item.invoiceKey, _detail(index, Call.Expire, open, item.counter, slot_, 0, 0)
        );
        return (Outcome.Done, 0);
    }

    // --------------------------------------------------------------------------------- issuers

    /// @inheritdoc IInvoiceLedger
    function supersede(BatchRef[] calldata batches, SupersedeItem calldata item) external {
        _requireSize(1, batches.length);
        Issuer memory who = _requireIssuer();
        (Outcome outcome, uint256 holder) = _supersede(0, who, batches, _openAll(batches), item);
        if (outcome == Outcome.Done) return;
        _refuse(Call.Supersede, outcome, item.to.leaf.invoiceKey, 0, 0, holder, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function supersedeBatch(BatchRef[] calldata batches, SupersedeItem[] calldata items) external {
        _requireSize(items.length, batches.length);
        Issuer memory who = _requireIssuer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            (Outcome outcome, uint256 holder) = _supersede(i, who, batches, codes, items[i]);
            if (outcome == Outcome.Done) continue;
            _unchanged(
                i, Call.Supersede, outcome, items[i].to.leaf.invoiceKey, 0, 0, holder, 0
            );
        }
    }

    function _supersede(
        uint256 index,
        Issuer memory who,
        BatchRef[] calldata batches,
        bytes16[] memory codes,
        SupersedeItem calldata item
    ) private returns (Outcome outcome, uint256 holder) {
        if (who.suspended) return (Outcome.Suspended, 0);
        if (item.from.batchIndex >= batches.length || item.to.batchIndex >= batches.length) {
            return (Outcome.BadBatch, 0);
        }
        uint48 from = _reference(batches[item.from.batchIndex], item.from);
        uint48 to = _reference(batches[item.to.batchIndex], item.to);
        Slot slot_ = _load(item.to.leaf.invoiceKey);
        (outcome, holder) = _supersedeBar(slot_, who, from, to, item);
        if (outcome != Outcome.Done) return (outcome, holder);
        outcome = _ownProofBar(who, batches[item.from.batchIndex], codes[item.from.batchIndex], item.from);
        if (outcome != Outcome.Done) return (outcome, 0);
        outcome = _ownProofBar(who, batches[item.to.batchIndex], codes[item.to.batchIndex], item.to);
        if (outcome != Outcome.Done) return (outcome, 0);
        slot_ = _bind(slot_, to, item.to.leaf).withFlags(PINNED);
        _slots[item.to.leaf.invoiceKey] = slot_;
        emit Superseded(
            item.to.leaf.invoiceKey, _detail(index, Call.Supersede, 0, 0, slot_, 0, 0), from
        );
        return (Outcome.Done, 0);
    }

    function _supersedeBar(
        Slot slot_,
        Issuer memory who,
        uint48 from,
        uint48 to,
        SupersedeItem calldata item
    ) private view returns (Outcome, uint256) {
        Leaf calldata leaf = item.to.leaf;
        if (item.from.leaf.invoiceKey != leaf.invoiceKey) return (Outcome.BadLeaf, 0);
        uint48 present = slot_.leafReference();
        if (present == to && slot_.hasFlag(PINNED)) return (Outcome.Repeated, 0);
        if (who.paused) return (Outcome.Paused, 0);
        (Outcome outcome, uint256 holder) = _busyBar(slot_);
        if (outcome != Outcome.Done) return (outcome, holder);
        outcome = _stateBar(slot_);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present != 0 && (present != from || slot_.hasFlag(ALIAS))) {
            return (Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
        }
        outcome = _leafBar(item.from.leaf);
        if (outcome == Outcome.Done) outcome = _leafBar(leaf);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (from >> 32 != to >> 32 || to <= from) return (Outcome.NotLater, 0);
        return (_isSecondKeyBound(leaf) ? Outcome.SecondKeyBound : Outcome.Done, 0);
    }

    /// @inheritdoc IInvoiceLedger
    function void(BatchRef calldata batch, LeafProof calldata item) external {
        _withdrawOne(Call.Void, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function reverse(BatchRef calldata batch, LeafProof calldata item) external {
        _withdrawOne(Call.Reverse, batch, item);
    }

    /// @inheritdoc IInvoiceLedger
    function voidBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Void, batches, items);
    }

    /// @inheritdoc IInvoiceLedger
    function reverseBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external {
        _withdrawAll(Call.Reverse, batches, items);
    }

    function _withdrawOne(Call call_, BatchRef calldata batch, LeafProof calldata item) private {
        Issuer memory who = _requireIssuer();
        (Outcome outcome, uint256 holder) = item.batchIndex != 0
            ? (Outcome.BadBatch, 0)
            : _withdraw(0, call_, who, batch, _open(batch), item);
        if (outcome == Outcome.Done) return;
        _refuse(
            call_, outcome, item.leaf.invoiceKey, 0, 0, holder, _reference(batch, item)
        );
    }

    function _withdrawAll(
        Call call_,
        BatchRef[] calldata batches,
        LeafProof[] calldata items
    ) private {
        _requireSize(items.length, batches.length);
        Issuer memory who = _requireIssuer();
        bytes16[] memory codes = _openAll(batches);
        for (uint256 i = 0; i < items.length; ++i) {
            LeafProof calldata item = items[i];
            Outcome outcome = Outcome.BadBatch;
            uint256 holder = 0;
            uint48 leafRef = 0;
            if (item.batchIndex < batches.length) {
                BatchRef calldata batch = batches[item.batchIndex];
                (outcome, holder) =
                    _withdraw(i, call_, who, batch, codes[item.batchIndex], item);
                if (outcome == Outcome.Done) continue;
                leafRef = _reference(batch, item);
            }
            _unchanged(i, call_, outcome, item.leaf.invoiceKey, 0, 0, holder, leafRef);
        }
    }

    /// @dev Void and reverse: an issuer takes a bill back. Neither asks for locks or settlements,
    /// because a withdrawn bill must not be paid, whatever is going on.
    function _withdraw(
        uint256 index,
        Call call_,
        Issuer memory who,
        BatchRef calldata batch,
        bytes16 code,
        LeafProof calldata item
    ) private returns (Outcome outcome, uint256 holder) {
        if (who.suspended) return (Outcome.Suspended, 0);
        Leaf calldata leaf = item.leaf;
        uint8 flag = call_ == Call.Void ? VOID : REVERSED;
        uint48 leafRef = _reference(batch, item);
        Slot slot_ = _load(leaf.invoiceKey);
        uint48 present = slot_.leafReference();
        if (present != 0) {
            if (present != leafRef || slot_.hasFlag(ALIAS)) {
                return (Outcome.BoundElsewhere, _boundHolder(slot_, leaf.invoiceKey));
            }
            if (slot_.hasFlag(flag)) return (Outcome.Repeated, 0);
        }
        outcome = _leafBar(leaf);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present == 0 && _isSecondKeyBound(leaf)) return (Outcome.SecondKeyBound, 0);
        outcome = _ownProofBar(who, batch, code, item);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (present == 0) slot_ = _bind(slot_, leafRef, leaf);
        slot_ = slot_.withFlags(PINNED | flag);
        _slots[leaf.invoiceKey] = slot_;
        uint256 detail = _detail(index, call_, 0, 0, slot_, 0, 0);
        if (call_ == Call.Void) emit Voided(leaf.invoiceKey, detail);
        else emit Reversed(leaf.invoiceKey, detail);
        return (Outcome.Done, 0);
    }

    // ----------------------------------------------------------------------------------- rulings

    /// @inheritdoc IInvoiceLedger
    function rule(bytes32 invoiceKey, bytes32 reason) external {
        _requireRegistrar();
        Slot before = _slots[invoiceKey];
        (Outcome outcome, uint256 holder) = _rulingBar(_load(invoiceKey), invoiceKey);
        Slot after_ = before.cleared();
        if (
            outcome == Outcome.Done && Slot.unwrap(before) == Slot.unwrap(after_)
        ) outcome = Outcome.Repeated;
        if (outcome != Outcome.Done) {
            _refuse(Call.Rule, outcome, invoiceKey, 0, 0, holder, 0);
            return;
        }
        _slots[invoiceKey] = after_;
        emit Ruled(
            invoiceKey, _detail(0, Call.Rule, 0, 0, after_, 0, 0), Slot.unwrap(before), reason
        );
    }

    /// @inheritdoc IInvoiceLedger
    function ruleFor(
        BatchRef calldata batch,
        LeafProof calldata item,
        uint8 flags,
        bytes32 reason
    ) external {
        _requireRegistrar();
        bytes32 key = item.leaf.invoiceKey;
        Slot before = _slots[key];
        Slot slot_ = _load(key);
        uint48 leafRef = _reference(batch, item);
        (Outcome outcome, uint256 holder) = _ruleForBar(slot_, flags, leafRef, batch, item);
        if (outcome != Outcome.Done) {
            _refuse(Call.Rule, outcome, key, 0, 0, holder, leafRef);
            return;
        }
        slot_ = _bind(slot_, leafRef, item.leaf).withFlags(flags);
        _slots[key] = slot_;
        emit Ruled(key, _detail(0, Call.Rule, 0, 0, slot_, flags, 0), Slot.unwrap(before), reason);
    }

    function _ruleForBar(
        Slot slot_,
        uint8 flags,
        uint48 leafRef,
        BatchRef calldata batch,
        LeafProof calldata item
    ) private view returns (Outcome outcome, uint256 holder) {
        if (flags & ~_RULING_FLAGS != 0) return (Outcome.BadFlags, 0);
        (outcome, holder) = _rulingBar(slot_, item.leaf.invoiceKey);
        if (outcome != Outcome.Done) return (outcome, holder);
        if (slot_.leafReference() == leafRef && slot_.flags() == flags) {
            return (Outcome.Repeated, 0);
        }
        outcome = _leafBar(item.leaf);
        if (outcome != Outcome.Done) return (outcome, 0);
        if (_isSecondKeyBound(item.leaf)) return (Outcome.SecondKeyBound, 0);
        if (item.batchIndex != 0) return (Outcome.BadBatch, 0);
        return (_proofBar(batch, _open(batch), item.leaf, item.leafIndex, item.proof), 0);
    }

    /// @dev A second key stands and falls with its bill: it cannot be freed while that bill is
    /// locked or settled, or its amount could be claimed again under the other number.
    function _rulingBar(Slot slot_, bytes32 invoiceKey) private view returns (Outcome, uint256) {
        return _busyBar(slot_.hasFlag(ALIAS) ? _slots[_primaryKeys[invoiceKey]] : slot_);
    }

    // ------------------------------------------------------------------------------ not offered

    /// @inheritdoc IInvoiceLedger
    function supplement(SupplementItem calldata) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function recover(bytes32, uint64, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function exchangeToPaper(BatchRef calldata, LeafProof calldata, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function returnPaper(BatchRef calldata, LeafProof calldata, bytes32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function quarantine(uint16, uint32, uint32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function lift(uint16, uint32, uint32) external pure {
        revert NotOffered();
    }

    /// @inheritdoc IInvoiceLedger
    function retire() external pure {
        revert NotOffered();
    }

    // ------------------------------------------------------------------------------------ views

    /// @inheritdoc IInvoiceLedger
    function slot(bytes32 invoiceKey) external view returns (uint256) {
        return Slot.unwrap(_slots[invoiceKey]);
    }

    /// @inheritdoc IInvoiceLedger
    function claimState(bytes32 invoiceKey) external view returns (ClaimState memory) {
        Slot slot_ = _slots[invoiceKey];
        return ClaimState({
            total: uint64(slot_.total()),
            paid: uint64(slot_.paid()),
            leafReference: slot_.leafReference(),
            deadline: slot_.deadline(),
            openPayer: slot_.openPayer(),
            counter: slot_.counter(),
            flags: slot_.flags(),
            settledPayers: slot_.settledPayers(),
            primaryKey: slot_.hasFlag(ALIAS) ? _primaryKeys[invoiceKey] : bytes32(0)
        });
    }

    /// @inheritdoc IInvoiceLedger
    function head(uint16 institution, uint32 sequence) external view returns (bytes32) {
        return _heads[_place(institution, sequence)];
    }

    /// @inheritdoc IInvoiceLedger
    function lastSequence(uint16 institution) external view returns (uint32) {
        // Invariant: `low` is anchored (or 0), `high` is not.
        uint32 low = 0;
        uint32 high = 1;
        while (_heads[_place(institution, high)] != 0) (low, high) = (high, high * 2);
        while (high - low > 1) {
            uint32 middle = (low + high) / 2;
            if (_heads[_place(institution, middle)] != 0) low = middle;
            else high = middle;
        }
        return low;
    }

    /// @inheritdoc IInvoiceLedger
    function computeHead(BatchRef calldata batch) external pure returns (bytes32) {
        return Commitments.head(batch);
    }

    /// @inheritdoc IInvoiceLedger
    function computeLeafHash(Leaf calldata leaf) external pure returns (bytes32) {
        return Commitments.leafHash(leaf);
    }

    /// @inheritdoc IInvoiceLedger
    function isIncluded(
        bytes32 leafHash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool) {
        return InclusionProof.isIncluded(leafHash, leafIndex, treeSize, proof, root);
    }

    // ---------------------------------------------------------------------------------- callers

    function _requirePayer() private view returns (IRegistry.PayerContext memory who) {
        who = registry.payerContext(msg.sender);
        if (who.payer == 0) revert LedgerNotPayer(msg.sender);
    }

    function _requireIssuer() private view returns (Issuer memory who) {
        (who.institution, who.suspended, who.paused) = registry.issuerContext(msg.sender);
        if (who.institution == 0) revert LedgerNotInstitution(msg.sender);
    }

    function _requireRegistrar() private view {
        if (!registry.isRegistrar(msg.sender)) revert LedgerNotRegistrar(msg.sender);
    }

    function _requireSize(uint256 items, uint256 batches) private pure {
        if (
            items > MAX_BATCH_ITEMS || batches > MAX_BATCH_ITEMS
                || msg.data.length > MAX_CALLDATA_BYTES
        ) revert LedgerCallTooLarge(items, batches, msg.data.length);
    }

    // ------------------------------------------------------------------------------ parts of checks

    /// @dev Voided, reversed and exchanged bills are not payable.
    function _stateBar(Slot slot_) private pure returns (Outcome) {
        if (slot_.hasFlag(VOID)) return Outcome.IsVoid;
        if (slot_.hasFlag(REVERSED)) return Outcome.IsReversed;
        if (slot_.hasFlag(ON_PAPER)) return Outcome.IsOnPaper;
        return Outcome.Done;
    }

    /// @dev A bill under claim or paid on is not rebound.
    function _busyBar(Slot slot_) private pure returns (Outcome, uint256) {
        if (slot_.openPayer() != 0) return (Outcome.Locked, _claimHolder(slot_));
        uint64 settled = slot_.settledPayers();
        if (settled != 0) return (Outcome.Settled, lowestPayer(settled));
        return (Outcome.Done, 0);
    }

    /// @dev What can be seen from a leaf alone.
    function _leafBar(Leaf calldata leaf) private pure returns (Outcome) {
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
    ) private view returns (Outcome) {
        if (code == 0) return Outcome.BadBatch;
        if (leaf.institutionCode != code) return Outcome.ForeignLeaf;
        bool included = InclusionProof.isIncluded(
            Commitments.leafHash(leaf), leafIndex, batch.size, proof, batch.root
        );
        return included ? Outcome.Done : Outcome.BadProof;
    }

    function _ownProofBar(
        Issuer memory who,
        BatchRef calldata batch,
        bytes16 code,
        LeafProof calldata item
    ) private view returns (Outcome) {
        if (batch.institution != who.institution) {
            return code == 0 ? Outcome.BadBatch : Outcome.ForeignLeaf;
        }
        return _proofBar(batch, code, item.leaf, item.leafIndex, item.proof);
    }

    function _isDeadline(uint32 deadline) private view returns (bool) {
        return deadline > block.timestamp && deadline <= block.timestamp + MAX_LOCK_SECONDS;
    }

    function _isOpen(Slot slot_, uint8 payer, uint16 counter) private pure returns (bool) {
        return slot_.openPayer() == payer && slot_.counter() == counter;
    }

    /// @dev Release and expire of a claim that is not open: done before, or another's.
    function _notOpen(Slot slot_, uint16 counter) private pure returns (Outcome, uint256) {
        if (slot_.openPayer() == 0 && slot_.counter() == counter && counter != 0) {
            return (Outcome.Repeated, 0);
        }
        return (Outcome.Stale, _claimHolder(slot_));
    }

    function _isPublished(bytes32 policyHash, bytes32[] memory known) private view returns (bool) {
        if (policyHash == 0) return false;
        if (known[0] == policyHash) return true;
        (uint32 publishedAt,) = registry.policy(policyHash);
        if (publishedAt == 0) return false;
        known[0] = policyHash;
        return true;
    }

    /// @dev Whether the second key belongs to another bill: it is bound itself, or it is the live
    /// alias of another invoice key.
    function _isSecondKeyBound(Leaf calldata leaf) private view returns (bool) {
        if (leaf.secondKey == 0) return false;
        Slot second = _load(leaf.secondKey);
        if (second.leafReference() == 0) return false;
        return !second.hasFlag(ALIAS) || _primaryKeys[leaf.secondKey] != leaf.invoiceKey;
    }

    // ---------------------------------------------------------------------------------- storage

    /// @dev The slot of a key; an alias whose bill is no longer bound to that leaf counts as cleared.
    function _load(bytes32 invoiceKey) private view returns (Slot slot_) {
        slot_ = _slots[invoiceKey];
        if (slot_.hasFlag(ALIAS)) {
            Slot primary = _slots[_primaryKeys[invoiceKey]];
            if (primary.leafReference() != slot_.leafReference()) return slot_.cleared();
        }
    }

    /// @dev Binds the leaf in memory and marks its second key in storage.
    function _bind(Slot slot_, uint48 leafRef, Leaf calldata leaf) private returns (Slot) {
        if (leaf.secondKey != 0) {
            _slots[leaf.secondKey] =
                _slots[leaf.secondKey].bound(leafRef, 0, 0).withFlags(ALIAS);
            _primaryKeys[leaf.secondKey] = leaf.invoiceKey;
        }
        return slot_.bound(leafRef, leaf.total, leaf.borne);
    }

    /// @dev The code of the batch's issuer when the reference opens its stored head, else zero.
    function _open(BatchRef calldata batch) private view returns (bytes16) {
        bytes32 stored = _heads[_place(batch.institution, batch.sequence)];
        if (stored == 0 || stored != Commitments.head(batch)) return 0;
        return registry.institutionCode(batch.institution);
    }

    function _openAll(BatchRef[] calldata batches) private view returns (bytes16[] memory codes) {
        codes = new bytes16[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) codes[i] = _open(batches[i]);
    }

    function _place(uint16 institution, uint32 sequence) private pure returns (uint256) {
        return (uint256(institution) << 32) | sequence;
    }

    function _reference(BatchRef calldata batch, LeafProof calldata item)
        private
        pure
        returns (uint48)
    {
        return packReference(batch.institution, batch.sequence, item.leafIndex);
    }

    // --------------------------------------------------------------------------------- reporting

    function _claimHolder(Slot slot_) private pure returns (uint256) {
        uint8 open = slot_.openPayer();
        return open == 0 ? 0 : open | (uint256(slot_.counter()) << 8);
    }

    /// @dev Who holds a bill that is bound to another leaf or under another key.
    function _boundHolder(Slot slot_, bytes32 invoiceKey) private view returns (uint256) {
        Slot holder = slot_.hasFlag(ALIAS) ? _slots[_primaryKeys[invoiceKey]] : slot_;
        if (holder.openPayer() != 0) return _claimHolder(holder);
        return lowestPayer(holder.settledPayers());
    }

    /// @dev The detail word of an item that had its effect.
    function _detail(
        uint256 index,
        Call call_,
        uint8 payer,
        uint16 counter,
        Slot slot_,
        uint256 value,
        uint16 version
    ) private pure returns (uint256) {
        return index | (uint256(call_) << 8) | (uint256(payer) << 24) | (uint256(counter) << 32)
            | (uint256(slot_.leafReference()) << 72) | (value << 120) | (uint256(version) << 160)
            | (slot_.paid() << 176) | (slot_.total() << 216);
    }

    /// @dev Reports an item of a batch call that had no effect.
    /// @param leafRef leaf named by the item, or 0 for the leaf to which the slot is bound
    function _unchanged(
        uint256 index,
        Call call_,
        Outcome outcome,
        bytes32 invoiceKey,
        uint8 payer,
        uint16 counter,
        uint256 holder,
        uint48 leafRef
    ) private {
        Slot slot_ = _slots[invoiceKey];
        if (leafRef == 0) leafRef = slot_.leafReference();
        emit Unchanged(
            invoiceKey,
            index | (uint256(call_) << 8) | (uint256(outcome) << 16) | (uint256(payer) << 24)
                | (uint256(counter) << 32) | (holder << 48) | (uint256(leafRef) << 72)
                | (slot_.paid() << 176) | (slot_.total() << 216)
        );
    }

    /// @dev Ends a single call that had no effect: reverts, except for a repetition.
    function _refuse(
        Call call_,
        Outcome outcome,
        bytes32 invoiceKey,
        uint8 payer,
        uint16 counter,
        uint256 holder,
        uint48 leafRef
    ) private {
        if (outcome != Outcome.Repeated) {
            revert LedgerRefused(outcome, invoiceKey, uint8(holder), uint16(holder >> 8));
        }
        _unchanged(0, call_, outcome, invoiceKey, payer, counter, holder, leafRef);
    }
}
