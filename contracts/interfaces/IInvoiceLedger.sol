// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";

/// @title The invoice ledger: what was anchored, and who claims what part of it
/// @notice Institutions anchor batches of bills; payers lodge a claim on a bill, then settle or
/// release it. One 256-bit slot per invoice key decides that no part of a bill is paid twice.
///
/// A ledger belongs to one registry and has a generation there. While another generation is in
/// force (`IRegistry.generationInForce`), it refuses every change of state with `Retired`: a
/// retired ledger for ever, a successor before its day. A successor honours all that its
/// predecessor holds: slots, batches, second keys and recovery numbers are read from there until it
/// has written its own; claims that were open end with the retirement, as if they had been
/// released.
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
/// 8, `is paper` 16, `alias` 32, `moved` 64), settled payers 64 (bit payer - 1). `paid` starts at
/// what others bore. In a slot with the flag `alias`, the second key of a bill, only leaf
/// reference, counter and `moved` have meaning. A slot with the flag `is paper` belongs to a paper
/// bill for which the e-bill at that leaf reference was exchanged; there `void` means that the
/// paper was returned. `moved`: the slot was taken over from a predecessor; such a slot is never
/// read from there again.
///
/// Detail word of every claim event, low bit first: item index 8, `Call` 8, `Outcome` 8, payer 8
/// (0: the caller is no payer), counter 16, holder's payer 8, holder's counter 16, leaf reference
/// 48, value 40, decision version 16, paid sum 40, total 40. `value` is the deadline in Unix
/// seconds for Lodge and Renew, the amount in fen for Settle, Supplement and Recover, the reason
/// for Release, the given flags for Rule, else 0. Calls without a lodge counter have counter 0.
/// Leaf reference, paid and total are those of the slot after the effect (before it for Release and
/// Expire, which may clear them). In `Unchanged` paid and total are the slot's, value and version
/// are 0, and the leaf reference is the one that the item names, else the slot's.
///
/// Each item of a call gives exactly one event of its invoice key, in the order of the items: the
/// event of its effect, or `Unchanged`. Batch calls never revert for an item. Single calls revert
/// with `LedgerRefused` where the batch call gives `Unchanged`, except for repetition
/// (`Outcome.Repeated`), which is not an error in either. Outcomes are a pure function of state,
/// caller, time and item; an outcome and the effect of the item stand and fall together.
/// @dev Checks come in the order in which `Outcome` values are listed under each function; the
/// first that fails is the outcome. The SHA-256 inclusion proof is always last. A batch index that
/// names no batch of the call is `BadBatch` before all others (`supersede`: after `Suspended`;
/// `ruleFor`: where it is listed). "Bound" means that a leaf holds the key: the slot's leaf
/// reference is not 0, and a slot with the flag `alias` counts only while its bill is bound to that
/// same leaf.
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
        Rule,
        Supplement,
        Recover,
        Exchange,
        Return
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
        BadFlags, // 28 flags that a ruling cannot set
        Retired, // 29 another generation of the ledger is in force
        NotSettled, // 30 this payer has not settled this bill
        BadAmount, // 31 zero, or more than was paid on the bill
        BadVersion, // 32 a supplement carries decision version 2 or later
        NumberUsed, // 33 the recovery number stands for another recovery
        PaperKeyBound, // 34 the paper key is zero, a key of the bill itself, or not empty
        IsPaper // 35 the key is that of a paper bill for which an e-bill was exchanged
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
        Paused,
        Retired // another generation of the ledger is in force
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

    /// @notice A further payment on a settled bill, starting from the paid sum `paidBefore`.
    struct SupplementItem {
        bytes32 invoiceKey;
        uint64 paidBefore;
        uint64 amount;
        bytes32 decisionFingerprint;
        uint16 decisionVersion;
        bytes32 policyHash;
    }

    /// @notice Money taken back; `recoveryNumber` is the payer's own and counted once.
    struct RecoverItem {
        bytes32 invoiceKey;
        uint64 amount;
        bytes32 recoveryNumber;
    }

    /// @notice An e-bill's leaf and the invoice key of the paper bill that stands for it.
    struct PaperItem {
        LeafProof bill;
        bytes32 paperKey;
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

    /// @notice Emitted by `anchor` when the batch is stored: its `root` over `size` leaves, and the
    /// head that follows `previousHead` in the institution's sequence.
    event Anchored(
        uint16 indexed institution,
        uint32 indexed sequence,
        address indexed account,
        bytes32 root,
        bytes32 previousHead,
        bytes32 head,
        uint16 size
    );
    /// @notice Emitted by `anchor` when it changed nothing. With `Conflict`, `head` is the stored
    /// head and differs from the head of (institution, sequence, previousHead, root, size):
    /// evidence.
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

    /// @notice Emitted when a claim is opened (`lodge`): payer, counter and deadline are in the
    /// detail word, as laid out above.
    event Lodged(bytes32 indexed invoiceKey, uint256 detail);
    /// @notice Emitted when an open claim is paid and closed (`settle`): the amount in fen is in
    /// the detail word, the decision and the policy that it followed are named by their digests.
    event Settled(
        bytes32 indexed invoiceKey, uint256 detail, bytes32 decisionFingerprint, bytes32 policyHash
    );
    /// @notice Emitted when the payer closes its open claim without paying (`release`): the reason
    /// is in the detail word; both digests as the item gives them, of meaning for reason `Refused`.
    event Released(
        bytes32 indexed invoiceKey, uint256 detail, bytes32 decisionFingerprint, bytes32 policyHash
    );
    /// @notice Emitted when an open claim gets a later deadline (`renew`), in Unix seconds in the
    /// detail.
    event Renewed(bytes32 indexed invoiceKey, uint256 detail);
    /// @notice Emitted when somebody closes a claim whose deadline has passed (`expire`).
    event Expired(bytes32 indexed invoiceKey, uint256 detail);
    /// @notice Emitted when a later leaf of the bill takes the place of another (`supersede`); the
    /// new leaf's reference is in the detail word.
    /// @param fromReference leaf reference of the leaf that was replaced
    event Superseded(bytes32 indexed invoiceKey, uint256 detail, uint48 fromReference);
    /// @notice Emitted when the issuer declares the bill void (`void`).
    event Voided(bytes32 indexed invoiceKey, uint256 detail);
    /// @notice Emitted when the issuer declares the bill reversed by a red bill (`reverse`).
    event Reversed(bytes32 indexed invoiceKey, uint256 detail);
    /// @notice Emitted when the registrar rules on a key (`rule`, `ruleFor`): the flags given are
    /// in the detail word.
    /// @param before the raw slot before the ruling
    /// @param reason digest of the registrar's written reason
    event Ruled(bytes32 indexed invoiceKey, uint256 detail, uint256 before, bytes32 reason);
    /// @notice Emitted when a payer pays more on a bill that it has settled (`supplement`): the
    /// further amount in fen and the new paid sum are in the detail word.
    event Supplemented(
        bytes32 indexed invoiceKey, uint256 detail, bytes32 decisionFingerprint, bytes32 policyHash
    );
    /// @notice Emitted when a payer records money taken back (`recover`): the amount in fen is in
    /// the detail word; the paid sum stays.
    event Recovered(
        bytes32 indexed invoiceKey, bytes32 indexed recoveryNumber, uint256 detail
    );
    /// @notice Emitted by `exchangeToPaper`: the e-bill is on paper now, under the paper bill's
    /// key.
    event Exchanged(bytes32 indexed invoiceKey, bytes32 indexed paperKey, uint256 detail);
    /// @notice Emitted by `returnPaper`: the paper bill was returned; the e-bill can be claimed
    /// again.
    event Returned(bytes32 indexed invoiceKey, bytes32 indexed paperKey, uint256 detail);
    /// @notice Emitted for an item that had no effect; the detail word says why.
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
    /// @notice At deployment: the predecessor belongs to another registry.
    error LedgerPredecessorForeign(address predecessor);

    /// @notice Anchors a batch in the institution's own sequence.
    /// @dev The caller is an account of an institution, else `LedgerNotInstitution`. Sequence
    /// 1..2^22 - 1, size 1..1,024, root not zero, else `LedgerAnchorInvalid`. Emits `Anchored`, or
    /// `AnchorUnchanged` with, in this order: `Repeated`, `Conflict`, `Retired`, `Paused`,
    /// `Suspended`, `BeforeAgreement`, `AfterGrace`, `NotNext`. Its time is the block's. A
    /// successor goes on in its predecessor's sequence.
    /// @param previousHead head of the institution's batch `sequence - 1`, zero for sequence 1
    function anchor(uint32 sequence, bytes32 root, uint16 size, bytes32 previousHead) external;

    /// @notice Opens a claim of the caller's payer on a bill, as claim (key, payer, counter).
    /// @dev Payer accounts only (`LedgerNotPayer`). Outcomes in order: `Retired`, `Suspended`,
    /// `Repeated` (this claim is open on this leaf), `Paused`, `Locked`, `SettledByPayer`,
    /// `SettledByBasic`, `IsPaper` (the key is a paper bill's, returned or not), `IsVoid`,
    /// `IsReversed`, `IsOnPaper`, `BoundElsewhere`, `Stale` (counter is not the slot's plus one),
    /// `KindRefused`, `BadLeaf`, `KindNotForBasic`, `NothingLeft`, `BadDeadline` (after now, within
    /// `MAX_LOCK_SECONDS`), `SecondKeyBound`, `BadBatch`, `Quarantined`, `ForeignLeaf`, `BadProof`.
    /// `BoundElsewhere` also answers for a bill whose key is the second key of a bound bill.
    /// Effect: binds the leaf where the slot is not bound (total, paid = borne), marks the second
    /// key alias, sets counter, open payer, deadline. Emits `Lodged`.
    function lodge(BatchRef calldata batch, LodgeItem calldata item) external;

    /// @notice Pays `amount` fen (0 is allowed) on the caller's open claim and closes it.
    /// @dev Payer accounts only. Outcomes: `Retired`, `Suspended`, `AlreadySettled` (this payer's
    /// bit is set, whatever the item carries), `Stale` (this claim is not the open one; the holder
    /// is named), `IsVoid`, `IsReversed`, `Quarantined` (the bound leaf's batch is),
    /// `SettledByBasic`, `OverTotal`, `PolicyUnknown`. Valid after the deadline until expired, and
    /// while paused. Emits `Settled`.
    function settle(SettleItem calldata item) external;

    /// @notice Closes the caller's open claim without paying. With nothing settled, the binding is
    /// cleared unless pinned.
    /// @dev Payer accounts only. Outcomes: `Retired`, `Suspended`, `Repeated` (no claim is open and
    /// the counter is the slot's and not 0), `Stale`, `PolicyUnknown` (reason `Refused` only). Goes
    /// on while paused and in a quarantined batch. Emits `Released`.
    function release(ReleaseItem calldata item) external;

    /// @notice Moves the deadline of the caller's open claim. Renewals are not limited.
    /// @dev Payer accounts only. Outcomes: `Retired`, `Suspended`, `Stale`, `IsVoid`, `IsReversed`,
    /// `Quarantined`, `Repeated` (the same deadline), `BadDeadline` (also when earlier than the
    /// present one). Goes on while paused. Emits `Renewed`.
    function renew(RenewItem calldata item) external;

    /// @notice Closes a claim whose deadline has passed; the binding as in `release`.
    /// @dev Anyone. Outcomes: `Retired`, `Repeated` (no claim is open and the counter is the slot's
    /// and not 0), `Stale`, `Paused`, `NotDue` (now <= deadline, or now < last unpause +
    /// `EXPIRY_GRACE_SECONDS`). Goes on in a quarantined batch. Emits `Expired`.
    function expire(ExpireItem calldata item) external;

    /// @notice Replaces a leaf by a later one of the same issuer and invoice key, and pins it.
    /// @dev Institution accounts only (`LedgerNotInstitution`). Outcomes: `Retired`, `Suspended`,
    /// `BadLeaf` (the keys differ), `Repeated` (bound to `to` and pinned), `Paused`, `Locked`,
    /// `Settled`, `IsPaper`, `IsVoid`, `IsReversed`, `IsOnPaper`, `BoundElsewhere` (bound, but not
    /// to `from`), for `from` and `to` in turn: `KindRefused`, `BadLeaf`; `NotLater`,
    /// `SecondKeyBound`, for `from`: `BadBatch`, `ForeignLeaf`, `BadProof`, for `to`: `BadBatch`,
    /// `Quarantined`, `ForeignLeaf`, `BadProof`. Emits `Superseded`.
    function supersede(BatchRef[] calldata batches, SupersedeItem calldata item) external;

    /// @notice Declares a bill void, for ever. Wins in every state: an open claim can then only be
    /// released (or expire), never settled or renewed; a settled bill opens recovery.
    /// @dev Institution accounts only, proving the leaf in an own batch; once bound, exactly that
    /// leaf. Outcomes: `Retired`, `Suspended`, `IsPaper`, `BoundElsewhere`, `Repeated` (void
    /// already on this leaf), `KindRefused`, `BadLeaf`, `SecondKeyBound` (when it binds),
    /// `BadBatch`, `ForeignLeaf`, `BadProof`. Goes on while paused and in a quarantined batch.
    /// Binds and pins. Emits `Voided`.
    function void(BatchRef calldata batch, LeafProof calldata item) external;

    /// @notice Declares a bill reversed by a red bill; otherwise as `void`. Emits `Reversed`.
    /// @dev The item names the original's leaf, not that of the red bill.
    function reverse(BatchRef calldata batch, LeafProof calldata item) external;

    /// @notice Registrar: clears binding, pin, void, reversed and both paper flags of a key. A key
    /// that a stranger's false exchange blocks as paper is freed so; the e-bill is another key,
    /// with a ruling of its own.
    /// @dev `LedgerNotRegistrar` without the role. Outcomes: `Retired`, `Locked`, `Settled`; for
    /// the second key of a bill these two speak of that bill; `Repeated` (nothing to clear).
    /// Counter and `moved` stay. Emits `Ruled`.
    /// @param reason digest of the written reason
    function rule(bytes32 invoiceKey, bytes32 reason) external;

    /// @notice Registrar: binds a key to a proved leaf of any institution and sets its flags.
    /// @dev `LedgerNotRegistrar` without the role. Outcomes: `Retired`, `BadFlags` (other bits than
    /// pinned, void, reversed, on paper), `Locked`, `Settled`, `Repeated` (leaf and flags are so
    /// already), `KindRefused`, `BadLeaf`, `SecondKeyBound`, `BadBatch`, `ForeignLeaf`, `BadProof`.
    /// Allowed in a quarantined batch, which is the registrar's own act. Emits `Ruled`.
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

    /// @notice Pays `amount` more on a bill that the caller's payer has settled: an upheld appeal,
    /// a yearly clearing. Names the paid sum from which it starts, so that it has one effect
    /// however often it is sent.
    /// @dev Payer accounts only. Outcomes: `Retired`, `Suspended`, `NotSettled` (this payer's bit
    /// is not set), `IsVoid`, `IsReversed`, `Quarantined`, `Locked` (another payer's claim is
    /// open), `Stale` (`paidBefore` is not the paid sum), `BadAmount` (0), `OverTotal`,
    /// `BadVersion` (below 2), `PolicyUnknown`. Goes on while paused. Emits `Supplemented`.
    function supplement(SupplementItem calldata item) external;

    /// @notice Records `amount` fen taken back by a payer that has settled, counted once by its
    /// number. The paid sum stays: what was taken back is not freed for another payer.
    /// @dev Payer accounts only. Outcomes: `Retired`, `Suspended`, `NotSettled`, `Repeated` (the
    /// number stands for the same payer, key and amount), `NumberUsed` (it stands for another
    /// recovery), `BadAmount` (0, or more than the paid sum). Goes on while paused, on void and
    /// reversed bills and in a quarantined batch. Emits `Recovered`.
    function recover(RecoverItem calldata item) external;

    /// @notice Marks an e-bill as exchanged for a paper bill. It cannot be claimed until the paper
    /// is returned, and the paper's key never.
    /// @dev Institution accounts only, proving the e-bill's leaf in an own batch. Outcomes:
    /// `Retired`, `Suspended`, `Repeated` (on paper under this paper key), `Locked`, `Settled`,
    /// `IsPaper`, `IsVoid`, `IsReversed`, `IsOnPaper` (under another paper key, or by a ruling),
    /// `BoundElsewhere` (bound to another leaf), `KindRefused`, `BadLeaf`, `PaperKeyBound` (zero,
    /// one of the leaf's two keys, or bound), `SecondKeyBound` (when it binds), `BadBatch`,
    /// `Quarantined`, `ForeignLeaf`, `BadProof`. Goes on while paused. Effect: binds and pins the
    /// leaf and sets `on paper`; the paper key's slot gets the leaf reference and `is paper`, for
    /// ever. Emits `Exchanged`.
    function exchangeToPaper(BatchRef calldata batch, PaperItem calldata item) external;

    /// @notice Takes the paper bill back: the e-bill can be claimed again. A returned paper key is
    /// used up; the next exchange takes another.
    /// @dev Institution accounts only, proving the e-bill's leaf in an own batch. Outcomes:
    /// `Retired`, `Suspended`, `BoundElsewhere` (the paper key's slot is no paper of this leaf, or
    /// the e-bill is not bound to it), `Repeated` (returned before), `KindRefused`, `BadLeaf`,
    /// `BadBatch`, `ForeignLeaf`, `BadProof`. Goes on while paused and in a quarantined batch.
    /// Effect: clears `on paper` of the e-bill, pins it, and marks the paper's slot `void`. Emits
    /// `Returned`.
    function returnPaper(BatchRef calldata batch, PaperItem calldata item) external;

    /// @notice `supplement` for many items.
    /// @dev Reverts only with `LedgerNotPayer` and `LedgerCallTooLarge`, as does the next one.
    function supplementBatch(SupplementItem[] calldata items) external;

    /// @notice `recover` for many items.
    function recoverBatch(RecoverItem[] calldata items) external;

    /// @notice `exchangeToPaper` for many items; each names its batch in `bill.batchIndex`.
    /// @dev Reverts only with `LedgerNotInstitution` and `LedgerCallTooLarge`, as does the next
    /// one.
    function exchangeToPaperBatch(BatchRef[] calldata batches, PaperItem[] calldata items) external;

    /// @notice `returnPaper` for many items.
    function returnPaperBatch(BatchRef[] calldata batches, PaperItem[] calldata items) external;

    /// @notice The raw slot of an invoice key, in the layout given above. In a successor that has
    /// not written it yet: the predecessor's, with an open claim ended and the flag `moved`.
    function slot(bytes32 invoiceKey) external view returns (uint256);

    /// @notice The slot as `slot` gives it, decoded.
    function claimState(bytes32 invoiceKey) external view returns (ClaimState memory);

    /// @notice Of a second key, marked alias: the key of the bill whose second key it was last
    /// marked, else zero.
    function primaryKey(bytes32 secondKey) external view returns (bytes32);

    /// @notice What a recovery number stands for: keccak256(abi.encode(payer, invoice key,
    /// amount)), zero when it is free.
    function recoveryDigest(bytes32 recoveryNumber) external view returns (bytes32);

    /// @notice The head of a batch, here or in a predecessor, zero when it is not anchored.
    function head(uint16 institution, uint32 sequence) external view returns (bytes32);

    /// @notice The highest anchored sequence of an institution, 0 when it has none. For off-chain
    /// use: sequences have no gap, so it is searched for, not stored.
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

    /// @notice The ledger that this one succeeds, zero for the first.
    function predecessor() external view returns (IInvoiceLedger);

    /// @notice 1 for the first ledger, else one more than the predecessor's.
    function generation() external view returns (uint8);
}
