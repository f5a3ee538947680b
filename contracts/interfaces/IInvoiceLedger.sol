// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";

/// @title The invoice ledger: what was anchored, and who claims what part of it
/// @notice Institutions anchor batches of bills; payers lodge a claim on a bill, then settle or
/// release it. One 256-bit slot per invoice key decides that no part of a bill is paid twice.
///
/// Limits: 64 payers; amounts up to 2^40 - 1 fen; 1,024 leaves a batch; sequences 1..2^22 - 1;
/// 65,535 lodges a bill; `MAX_BATCH_ITEMS` items and `MAX_CALLDATA_BYTES` bytes a batch call; a
/// lock of at most `MAX_LOCK_SECONDS`, renewable; no expiry within `EXPIRY_GRACE_SECONDS` of the
/// last unpause.
///
/// Batch leaf, 132 bytes, big endian: u8 format = 1, bytes16 institution code, u8 kind, u16 key
/// version, bytes32 invoice key, bytes32 second key, bytes32 fingerprint, u64 total, u64 borne.
/// Leaf hash = SHA-256(0x00 || leaf), node = SHA-256(0x01 || left || right), tree of RFC 9162.
/// Batch head = SHA-256("yichu-batch/1" 0x00 || u16 institution || u32 sequence || previous head ||
/// root || u16 size); the previous head of sequence 1 is zero.
///
/// Leaf reference, 48 bits: institution << 32 | sequence << 10 | index. Zero: not bound.
///
/// Slot of an invoice key, low bit first: total 40, paid 40, leaf reference 48, deadline 32, open
/// payer 8 (0: no lock), lodge counter 16, flags 8 (`pinned` 1, `void` 2, `reversed` 4, `on paper`
/// 8, `is paper` 16, `alias` 32), settled payers 64 (bit payer - 1). In a slot with the flag
/// `alias`, only leaf reference and counter have meaning. `paid` starts at what others bore.
///
/// Detail word of every claim event, low bit first: item index 8, `Call` 8, `Outcome` 8, payer 8
/// (0: the caller is no payer), counter 16, holder's payer 8, holder's counter 16, leaf reference
/// 48, value 40, decision version 16, paid sum 40, total 40. `value` is the deadline in Unix seconds
/// for Lodge and Renew, the amount in fen for Settle, the reason for Release, the given flags for
/// Rule, else 0. Leaf reference, paid and total are those of the slot after the effect (before it for
/// Release and Expire, which may clear them). In `Unchanged` paid and total are the slot's, value
/// and version are 0, and the leaf reference is the one that the item names, else the slot's.
///
/// Each item of a call gives exactly one event of its invoice key, in the order of the items: the
/// event of its effect, or `Unchanged`. Batch calls never revert for an item. Single calls revert
/// with `LedgerRefused` where the batch call gives `Unchanged`, except for repetition
/// (`Outcome.Repeated`), which is not an error in either. Outcomes are a pure function of state,
/// caller, time and item; an outcome and the effect of the item stand and fall together.
/// @dev Checks come in the order in which `Outcome` values are listed under each function; the
/// first that fails is the outcome. The SHA-256 inclusion proof is always last.
/// A batch index that names no batch of the call is `BadBatch` before all others (`supersede`: after
/// `Suspended`; `ruleFor`: where it is listed).
interface IInvoiceLedger {
    /// @notice The calls that concern one invoice.
    enum Call {
        None,
        Lodge,
        Settle,
        Release,
        Renew,
        Expire,
        Supersede,
        Void,
        Reverse,
        Rule
    }

    /// @notice What became of an item.
    enum Outcome {
        Done, // 0 the effect event says what
        Repeated, // 1 was so already; nothing changed, nothing is wrong
        Paused, // 2 intake is paused
        Suspended, // 3 the caller's payer or institution is suspended
        Stale, // 4 the item names another counter, or a claim that is not open
        Locked, // 5 another claim is open: the holder's payer and counter are named
        SettledByPayer, // 6 this payer has settled this bill before; holder (payer, 0)
        SettledByBasic, // 7 a basic insurer has; holder (that payer, 0)
        Settled, // 8 some payer has, which bars this call; holder (a payer, 0)
        AlreadySettled, // 9 settle sent again: compare with the first `Settled` event
        IsVoid, // 10
        IsReversed, // 11
        IsOnPaper, // 12
        BoundElsewhere, // 13 bound to another leaf, or the second key of a bound bill
        SecondKeyBound, // 14 the leaf's second key is bound otherwise
        NothingLeft, // 15 others have borne or paid the whole total; holder (a payer or 0, 0)
        KindRefused, // 16 red and information leaves are not claimable
        KindNotForBasic, // 17 a basic insurer has already paid on a leaf of kind `settled`
        BadDeadline, // 18 not after now, too far, or earlier than the present one
        NotDue, // 19 the lock has not run out, or the pause ended too recently
        PolicyUnknown, // 20 no such policy was published
        OverTotal, // 21 paid + amount exceeds the total
        NotLater, // 22 the new leaf does not come after the old one in one sequence
        BadLeaf, // 23 total over 2^40 - 1, borne over total, zero key, second key equal to it
        BadBatch, // 24 the batch reference does not open an anchored batch
        ForeignLeaf, // 25 the leaf's code is not the issuer's, or the batch is not the caller's
        BadProof, // 26 the inclusion proof does not lead to the batch's root
        Quarantined, // 27 the batch is quarantined
        BadFlags // 28 flags that a ruling cannot set
    }

    /// @notice What became of an anchor that had no effect.
    enum AnchorOutcome {
        Anchored,
        Repeated, // the very same anchor is there
        Conflict, // another anchor has this sequence: evidence against the institution
        NotNext, // the previous head is not that of the sequence before, or that is missing
        Suspended,
        BeforeAgreement,
        AfterGrace,
        Paused
    }

    /// @notice Why a claim was released.
    enum ReleaseReason {
        Withdrawn, // by the citizen
        Refused, // decision fingerprint, version and a published policy hash go with it
        Lapsed, // given up by the payer without a decision
        BillVoid, // the bill was voided, reversed or quarantined meanwhile
        Mistaken
    }

    /// @notice Opens the stored head of an anchored batch.
    struct BatchRef {
        uint16 institution;
        uint32 sequence;
        bytes32 previousHead;
        bytes32 root;
        uint16 size;
    }

    /// @notice The content of a batch leaf. `kind`: 1 claimable, 2 settled, 3 red, 4 information.
    struct Leaf {
        bytes16 institutionCode;
        uint8 kind;
        uint16 keyVersion;
        bytes32 invoiceKey;
        bytes32 secondKey;
        bytes32 fingerprint;
        uint64 total;
        uint64 borne;
    }

    /// @notice A leaf with its place and proof. `batchIndex` counts from 0 in the call's batches,
    /// `leafIndex` from 0 in the batch; `proof` is the RFC 9162 audit path, leaf upwards.
    struct LeafProof {
        Leaf leaf;
        uint8 batchIndex;
        uint16 leafIndex;
        bytes32[] proof;
    }

    /// @notice A claim to lodge. `counter` is the one that it creates; `deadline` in Unix seconds.
    struct LodgeItem {
        Leaf leaf;
        uint8 batchIndex;
        uint16 leafIndex;
        uint16 counter;
        uint32 deadline;
        bytes32[] proof;
    }

    struct SettleItem {
        bytes32 invoiceKey;
        uint16 counter;
        uint64 amount;
        bytes32 decisionFingerprint;
        uint16 decisionVersion;
        bytes32 policyHash;
    }

    struct ReleaseItem {
        bytes32 invoiceKey;
        uint16 counter;
        ReleaseReason reason;
        bytes32 decisionFingerprint;
        uint16 decisionVersion;
        bytes32 policyHash;
    }

    struct RenewItem {
        bytes32 invoiceKey;
        uint16 counter;
        uint32 deadline;
    }

    struct ExpireItem {
        bytes32 invoiceKey;
        uint16 counter;
    }

    /// @notice A correction: `from` is replaced by `to`, a later leaf of the same invoice key.
    struct SupersedeItem {
        LeafProof from;
        LeafProof to;
    }

    struct SupplementItem {
        bytes32 invoiceKey;
        uint64 paidBefore;
        uint64 amount;
        bytes32 decisionFingerprint;
        uint16 decisionVersion;
        bytes32 policyHash;
    }

    /// @notice A slot, decoded.
    struct ClaimState {
        uint64 total;
        uint64 paid;
        uint48 leafReference;
        uint32 deadline;
        uint8 openPayer;
        uint16 counter;
        uint8 flags;
        uint64 settledPayers;
        bytes32 primaryKey; // of the bill whose second key this is (flag `alias`), else zero
    }

    event Anchored(
        uint16 indexed institution,
        uint32 indexed sequence,
        address indexed account,
        bytes32 root,
        bytes32 previousHead,
        bytes32 head,
        uint16 size
    );
    /// @notice An anchor that changed nothing. With `Conflict`, `head` is the stored head and
    /// differs from the head of (institution, sequence, previousHead, root, size): evidence.
    event AnchorUnchanged(
        uint16 indexed institution,
        uint32 indexed sequence,
        address indexed account,
        AnchorOutcome outcome,
        bytes32 root,
        bytes32 previousHead,
        bytes32 head,
        uint16 size
    );

    event Lodged(bytes32 indexed invoiceKey, uint256 detail);
    event Settled(
        bytes32 indexed invoiceKey, uint256 detail, bytes32 decisionFingerprint, bytes32 policyHash
    );
    event Released(
        bytes32 indexed invoiceKey, uint256 detail, bytes32 decisionFingerprint, bytes32 policyHash
    );
    event Renewed(bytes32 indexed invoiceKey, uint256 detail);
    event Expired(bytes32 indexed invoiceKey, uint256 detail);
    /// @param fromReference leaf reference of the leaf that was replaced
    event Superseded(bytes32 indexed invoiceKey, uint256 detail, uint48 fromReference);
    event Voided(bytes32 indexed invoiceKey, uint256 detail);
    event Reversed(bytes32 indexed invoiceKey, uint256 detail);
    /// @param before the raw slot before the ruling
    /// @param reason digest of the registrar's written reason
    event Ruled(bytes32 indexed invoiceKey, uint256 detail, uint256 before, bytes32 reason);
    /// @notice An item that had no effect; the detail word says why.
    event Unchanged(bytes32 indexed invoiceKey, uint256 detail);

    /// @notice A single call was refused. The holder is the claim or payer in the way, else (0, 0).
    error LedgerRefused(
        Outcome outcome, bytes32 invoiceKey, uint8 holderPayer, uint16 holderCounter
    );
    /// @notice The account acts for no institution now.
    error LedgerNotInstitution(address account);
    /// @notice The account acts for no payer now.
    error LedgerNotPayer(address account);
    /// @notice The account lacks the registry's registrar role.
    error LedgerNotRegistrar(address account);
    /// @notice More than `MAX_BATCH_ITEMS` items or batches, or more than `MAX_CALLDATA_BYTES`.
    error LedgerCallTooLarge(uint256 items, uint256 batches, uint256 calldataBytes);
    /// @notice An anchor whose sequence or size is out of range, or whose root is zero.
    error LedgerAnchorInvalid(uint32 sequence, uint16 size);
    /// @notice The call belongs to the protocol but is not offered by this version.
    error NotOffered();

    /// @notice Anchors a batch in the institution's own sequence.
    /// @dev The caller is an account of an institution, else `LedgerNotInstitution`. Sequence
    /// 1..2^22 - 1, size 1..1,024, root not zero, else `LedgerAnchorInvalid`. Emits `Anchored`, or
    /// `AnchorUnchanged` with, in this order: `Repeated`, `Conflict`, `Paused`, `Suspended`,
    /// `BeforeAgreement`, `AfterGrace`, `NotNext`. Its time is the block's.
    /// @param previousHead head of the institution's batch `sequence - 1`, zero for sequence 1
    function anchor(uint32 sequence, bytes32 root, uint16 size, bytes32 previousHead) external;

    /// @notice Opens a claim of the caller's payer on a bill, as claim (key, payer, counter).
    /// @dev Payer accounts only (`LedgerNotPayer`). Outcomes in order: `Suspended`, `Repeated` (this
    /// claim is open on this leaf), `Paused`, `Locked`, `SettledByPayer`, `SettledByBasic`, `IsVoid`,
    /// `IsReversed`, `IsOnPaper`, `BoundElsewhere`, `Stale` (counter is not the slot's plus one),
    /// `KindRefused`, `BadLeaf`, `KindNotForBasic`, `NothingLeft`, `BadDeadline` (after now, within
    /// `MAX_LOCK_SECONDS`), `SecondKeyBound`, `BadBatch`, `Quarantined`, `ForeignLeaf`, `BadProof`.
    /// `BoundElsewhere` also answers for a bill whose key is the second key of a bound bill.
    /// Effect: binds the leaf where the slot is not bound (total, paid = borne, second key marked
    /// alias), sets counter, open payer, deadline. Emits `Lodged`.
    function lodge(BatchRef calldata batch, LodgeItem calldata item) external;

    /// @notice Pays `amount` fen (0 is allowed) on the caller's open claim and closes it.
    /// @dev Payer accounts only. Outcomes: `Suspended`, `AlreadySettled` (this payer's bit is set,
    /// whatever the item carries), `Stale` (this claim is not the open one; the holder is named),
    /// `IsVoid`, `IsReversed`, `SettledByBasic`, `OverTotal`, `PolicyUnknown`. Valid after the
    /// deadline until expired, and while paused. Emits `Settled`.
    function settle(SettleItem calldata item) external;

    /// @notice Closes the caller's open claim without paying. With nothing settled, the binding is
    /// cleared unless pinned.
    /// @dev Payer accounts only. Outcomes: `Suspended`, `Repeated` (no claim is open and the counter
    /// is the slot's), `Stale`, `PolicyUnknown` (reason `Refused` only). Emits `Released`.
    function release(ReleaseItem calldata item) external;

    /// @notice Moves the deadline of the caller's open claim. Renewals are not limited.
    /// @dev Payer accounts only. Outcomes: `Suspended`, `Stale`, `IsVoid`, `IsReversed`, `Repeated`
    /// (the same deadline), `BadDeadline`. Emits `Renewed`.
    function renew(RenewItem calldata item) external;

    /// @notice Closes a claim whose deadline has passed; the binding as in `release`.
    /// @dev Anyone. Outcomes: `Repeated` (no claim is open and the counter is the slot's), `Stale`,
    /// `Paused`, `NotDue` (now <= deadline, or now < last unpause + `EXPIRY_GRACE_SECONDS`).
    /// Emits `Expired`.
    function expire(ExpireItem calldata item) external;

    /// @notice Replaces a leaf by a later one of the same issuer and invoice key, and pins it.
    /// @dev Institution accounts only (`LedgerNotInstitution`). Outcomes: `Suspended`, `BadLeaf` (also
    /// when the keys differ), `Repeated` (bound to `to` and pinned), `Paused`, `Locked`, `Settled`,
    /// `IsVoid`, `IsReversed`, `IsOnPaper`, `BoundElsewhere` (bound, but not to `from`), `KindRefused`,
    /// `NotLater`, `SecondKeyBound`, then for `from` and `to`: `BadBatch`, `ForeignLeaf`, `BadProof`.
    /// Emits `Superseded`.
    function supersede(BatchRef[] calldata batches, SupersedeItem calldata item) external;

    /// @notice Declares a bill void, for ever. Wins in every state: an open claim can then only be
    /// released (or expire), never settled or renewed; a settled bill opens recovery.
    /// @dev Institution accounts only, proving the leaf in an own batch; once bound, exactly that leaf.
    /// Outcomes: `Suspended`, `Repeated` (void already on this leaf), `BoundElsewhere`, `KindRefused`,
    /// `BadLeaf`, `SecondKeyBound`, `BadBatch`, `ForeignLeaf`, `BadProof`. Binds and pins. Emits
    /// `Voided`.
    function void(BatchRef calldata batch, LeafProof calldata item) external;

    /// @notice Declares a bill reversed by a red bill; otherwise as `void`. Emits `Reversed`.
    /// @dev The item names the original's leaf, not that of the red bill.
    function reverse(BatchRef calldata batch, LeafProof calldata item) external;

    /// @notice Registrar: clears binding, pin, void, reversed and paper flags of a key.
    /// @dev `LedgerNotRegistrar` without the role. Outcomes: `Repeated` (nothing to clear), `Locked`,
    /// `Settled`; for the second key of a bound bill these two speak of that bill. Counter and
    /// settled payers stay. Emits `Ruled`.
    /// @param reason digest of the written reason
    function rule(bytes32 invoiceKey, bytes32 reason) external;

    /// @notice Registrar: binds a key to a proved leaf of any institution and sets its flags.
    /// @dev Outcomes: `BadFlags` (other bits than pinned, void, reversed, on paper), `Locked`,
    /// `Settled`, `Repeated` (leaf and flags are so already), `KindRefused`, `BadLeaf`,
    /// `SecondKeyBound`, `BadBatch`, `ForeignLeaf`, `BadProof`. Emits `Ruled`.
    function ruleFor(
        BatchRef calldata batch,
        LeafProof calldata item,
        uint8 flags,
        bytes32 reason
    ) external;

    /// @notice `lodge` for many items, which name their batch by its index in `batches`.
    /// @dev Reverts only with `LedgerNotPayer` and `LedgerCallTooLarge`, as do the next three.
    function lodgeBatch(BatchRef[] calldata batches, LodgeItem[] calldata items) external;

    /// @notice `settle` for many items.
    function settleBatch(SettleItem[] calldata items) external;

    /// @notice `release` for many items.
    function releaseBatch(ReleaseItem[] calldata items) external;

    /// @notice `renew` for many items.
    function renewBatch(RenewItem[] calldata items) external;

    /// @notice `expire` for many items.
    /// @dev Reverts only with `LedgerCallTooLarge`.
    function expireBatch(ExpireItem[] calldata items) external;

    /// @notice `supersede` for many items.
    /// @dev Reverts only with `LedgerNotInstitution` and `LedgerCallTooLarge`, as do the next two.
    function supersedeBatch(BatchRef[] calldata batches, SupersedeItem[] calldata items) external;

    /// @notice `void` for many items.
    function voidBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external;

    /// @notice `reverse` for many items.
    function reverseBatch(BatchRef[] calldata batches, LeafProof[] calldata items) external;

    /// @notice Pays more on a bill that the caller's payer has settled. Reverts with `NotOffered`.
    function supplement(SupplementItem calldata item) external;

    /// @notice Records money taken back by a payer, counted once by its number; the paid sum stays.
    /// Reverts with `NotOffered`.
    function recover(bytes32 invoiceKey, uint64 amount, bytes32 recoveryNumber) external;

    /// @notice Marks an e-bill as exchanged for a paper bill. Reverts with `NotOffered`.
    function exchangeToPaper(BatchRef calldata batch, LeafProof calldata item, bytes32 paperKey)
        external;

    /// @notice Takes the paper bill back. Reverts with `NotOffered`.
    function returnPaper(BatchRef calldata batch, LeafProof calldata item, bytes32 paperKey)
        external;

    /// @notice Registrar: batches `from` to `to` of an institution cannot be lodged. Reverts with
    /// `NotOffered`.
    function quarantine(uint16 institution, uint32 from, uint32 to) external;

    /// @notice Registrar: lifts a quarantine. Reverts with `NotOffered`.
    function lift(uint16 institution, uint32 from, uint32 to) external;

    /// @notice Admin: announces the irrevocable end of this contract. Reverts with `NotOffered`.
    function retire() external;

    /// @notice The raw slot of an invoice key, in the layout given above.
    function slot(bytes32 invoiceKey) external view returns (uint256);

    /// @notice The slot, decoded.
    function claimState(bytes32 invoiceKey) external view returns (ClaimState memory);

    /// @notice The head of a batch, zero when it is not anchored.
    function head(uint16 institution, uint32 sequence) external view returns (bytes32);

    /// @notice The highest anchored sequence of an institution, 0 when it has none. For off-chain use:
    /// sequences have no gap, so it is searched for, not stored.
    function lastSequence(uint16 institution) external view returns (uint32);

    /// @notice The head that a batch reference stands for, whether anchored or not.
    function computeHead(BatchRef calldata batch) external pure returns (bytes32);

    /// @notice The leaf hash of a leaf.
    function computeLeafHash(Leaf calldata leaf) external pure returns (bytes32);

    /// @notice Whether an RFC 9162 inclusion proof leads from the leaf hash to the root.
    function isIncluded(
        bytes32 leafHash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool);

    /// @notice The registry that says who may call.
    function registry() external view returns (IRegistry);
}
