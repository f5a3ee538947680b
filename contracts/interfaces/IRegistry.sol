// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may write on the ledger, and under which policies
/// @notice Institutions and payers are numbers that never change hands. Accounts are keys that act
/// for a number and are rotated under it, so that a new key is still the same institution or payer.
/// An account acts for one number for ever: it is never given to another, even once removed, so
/// that an old signature has one meaning.
/// @dev Roles are OpenZeppelin access-control roles held by separate keys: the default admin
/// (handed over with a delay), `REGISTRAR_ROLE`, `POLICY_PUBLISHER_ROLE` and `PAUSER_ROLE`. A call
/// without its role reverts with OpenZeppelin's `AccessControlUnauthorizedAccount(account, role)`.
/// Limits: institutions 1..65535, payers 1..64, 32 quarantined ranges an institution, 255
/// generations of the ledger; dates are Unix seconds in 32 bits.
///
/// Generations. The first invoice ledger on a registry is generation 1. A successor is another
/// invoice ledger on the same registry that names its predecessor. One generation is in force at a
/// time, by the clock alone: a ledger of any other generation refuses every change of state.
interface IRegistry {
    /// @notice What a payer is. The class of a number never changes.
    enum PayerClass {
        None,
        Basic, // basic medical insurance: at most one such payer settles a bill
        Commercial,
        Other // mutual aid, medical assistance, ...
    }

    /// @notice Who holds an institution's anchoring key.
    enum Custody {
        None,
        SelfCustody, // the institution itself
        Custodial // the operator: every verdict says so
    }

    /// @notice What an account acts for.
    enum AccountKind {
        None,
        Institution,
        Payer
    }

    /// @notice Why an institution may not anchor now; `None` when it may.
    enum AnchorBar {
        None,
        Suspended,
        BeforeAgreement,
        AfterGrace,
        Paused
    }

    /// @param code ASCII code of the institution, zero padded on the right; unique, never changes
    /// @param agreementFrom first second of the agreement
    /// @param agreementUntil last second of the agreement
    /// @param graceSeconds how long after `agreementUntil` anchoring stays open
    /// @param custody who holds the anchoring key
    /// @param suspended true while the registrar has suspended it
    /// @param quarantines how many ranges of its batches are quarantined
    struct Institution {
        bytes16 code;
        uint32 agreementFrom;
        uint32 agreementUntil;
        uint32 graceSeconds;
        Custody custody;
        bool suspended;
        uint8 quarantines;
    }

    /// @notice The batches `from` to `to` of an institution's sequence, both included.
    struct Range {
        uint32 from;
        uint32 to;
    }

    /// @param class class of the payer; `None` when the number is not registered
    /// @param suspended true while the registrar has suspended it
    struct Payer {
        PayerClass class;
        bool suspended;
    }

    /// @param kind what the account acts for; `None` when it was never registered
    /// @param number institution or payer number
    /// @param active false once the account was removed; `kind` and `number` stay
    struct Account {
        AccountKind kind;
        uint16 number;
        bool active;
    }

    /// @notice All that the ledger needs to know of a call of a payer, of an institution or of
    /// anyone, in one read.
    /// @param payer number of the active account's payer; 0 when it acts for none
    /// @param institution number of the active account's institution; 0 when it acts for none
    /// @param suspended whether that payer or institution is suspended
    /// @param paused whether intake is paused
    /// @param hasQuarantines whether any batch of any institution is quarantined
    /// @param generation the generation of the ledger that is in force now
    /// @param unpausedAt when intake was last opened again; 0: never
    /// @param basicPayers bit `n - 1` is set when payer n is a basic insurer
    struct CallerContext {
        uint8 payer;
        uint16 institution;
        bool suspended;
        bool paused;
        bool hasQuarantines;
        uint8 generation;
        uint32 unpausedAt;
        uint64 basicPayers;
    }

    /// @notice Emitted by `registerInstitution`: the number, its code and its terms; dates in Unix
    /// seconds, grace in seconds.
    event InstitutionRegistered(
        uint16 indexed institution,
        bytes16 indexed code,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    );
    /// @notice Emitted by `changeInstitutionTerms` with the new terms; dates in Unix seconds, grace
    /// in seconds.
    event InstitutionTermsChanged(
        uint16 indexed institution,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    );
    /// @notice Emitted by `suspendInstitution`, also when nothing changed: suspended from now on,
    /// or not.
    event InstitutionSuspensionChanged(uint16 indexed institution, bool suspended);
    /// @notice Emitted by `registerPayer`: the number and its class, which never changes.
    event PayerRegistered(uint8 indexed payer, PayerClass class);
    /// @notice Emitted by `suspendPayer`, also when nothing changed: suspended from now on, or not.
    event PayerSuspensionChanged(uint8 indexed payer, bool suspended);
    /// @notice Emitted by a registration or rotation: the account acts for that number from now on.
    event AccountAdded(AccountKind indexed kind, uint16 indexed number, address indexed account);
    /// @notice Emitted by a rotation: the account acts for nobody from now on, for ever.
    event AccountRemoved(AccountKind indexed kind, uint16 indexed number, address indexed account);
    /// @notice Emitted by `publishPolicy`: SHA-256 of the policy pack, the Unix second from which
    /// it says that it applies, and who published it.
    event PolicyPublished(bytes32 indexed policyHash, uint32 effectiveFrom, address publisher);
    /// @notice Emitted by `pause`: intake is stopped by this account of the pauser.
    event Paused(address account);
    /// @notice Emitted by `unpause`: intake is open again, by this account of the pauser.
    event Unpaused(address account);
    /// @notice Emitted by `quarantine`: the batches `from` to `to`, both included, are barred.
    /// @param reason digest of the registrar's written reason
    event BatchesQuarantined(
        uint16 indexed institution, uint32 from, uint32 to, bytes32 reason
    );
    /// @notice Emitted by `lift`: the range `from` to `to`, as it was set, is barred no longer.
    event QuarantineLifted(uint16 indexed institution, uint32 from, uint32 to);
    /// @notice Emitted by `retireLedger`: from the Unix second `effectiveAt` on, `generation` is in
    /// force and `successor` is its ledger.
    event LedgerRetirementAnnounced(
        uint8 indexed generation, address indexed successor, uint32 effectiveAt
    );

    /// @notice The address is zero, or acts or once acted for a number.
    error RegistryAccountTaken(address account);
    /// @notice The account does not act for that number now.
    error RegistryAccountUnknown(address account);
    /// @notice Neither an account to add nor one to remove was named.
    error RegistryNoAccount();
    /// @notice The code is empty or registered under `institution`.
    error RegistryCodeTaken(bytes16 code, uint16 institution);
    /// @notice No institution has this number.
    error RegistryInstitutionUnknown(uint16 institution);
    /// @notice No payer has this number.
    error RegistryPayerUnknown(uint8 payer);
    /// @notice The agreement ends before it begins, or the custody mode or payer class is `None`.
    error RegistryTermsInvalid();
    /// @notice 64 payers or 65,535 institutions are registered, 32 ranges of the institution are
    /// quarantined, or 255 generations were announced.
    error RegistryFull();
    /// @notice A policy is published once and stays: its hash is zero or published already.
    error RegistryPolicyInvalid(bytes32 policyHash);
    /// @notice The registry is paused (for `pause`) or not paused (for `unpause`).
    error RegistryPauseUnchanged(bool paused);
    /// @notice The range is empty, begins before batch 1, or is quarantined already (for
    /// `quarantine`); it is not exactly a quarantined range (for `lift`).
    error RegistryRangeInvalid(uint16 institution, uint32 from, uint32 to);
    /// @notice A retirement is announced and not in force yet; it cannot be changed.
    error RegistryRetirementPending(address successor, uint32 effectiveAt);
    /// @notice The address is no ledger of the next generation on this registry that succeeds the
    /// ledger in force.
    error RegistrySuccessorInvalid(address successor);

    /// @notice Registers an institution under the next free number, with its first account.
    /// @dev Registrar only. Emits `InstitutionRegistered`, `AccountAdded`. Reverts with
    /// `RegistryCodeTaken`, `RegistryTermsInvalid`, `RegistryAccountTaken`, `RegistryFull`.
    /// @return institution its number, counting from 1
    function registerInstitution(
        bytes16 code,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody,
        address account
    ) external returns (uint16 institution);

    /// @notice Changes agreement dates, grace and custody mode; the code stays.
    /// @dev Registrar only. Emits `InstitutionTermsChanged`. Reverts with
    /// `RegistryInstitutionUnknown`, `RegistryTermsInvalid`.
    function changeInstitutionTerms(
        uint16 institution,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    ) external;

    /// @notice Suspends an institution or lifts its suspension. A suspended one cannot anchor,
    /// supersede, void, reverse, exchange or return; its anchored bills stay claimable.
    /// @dev Registrar only. Emits `InstitutionSuspensionChanged`; reverts with
    /// `RegistryInstitutionUnknown`.
    function suspendInstitution(uint16 institution, bool suspended) external;

    /// @notice Rotates an institution's accounts: removes `oldAccount` and adds `newAccount`.
    /// Either may be the zero address, to add or to remove only.
    /// @dev Registrar only. Emits `AccountRemoved` and `AccountAdded` as they apply. Reverts with
    /// `RegistryInstitutionUnknown`, `RegistryAccountUnknown`, `RegistryAccountTaken`,
    /// `RegistryNoAccount`.
    function rotateInstitutionAccount(uint16 institution, address oldAccount, address newAccount)
        external;

    /// @notice Registers a payer under the next free number, with its first account.
    /// @dev Registrar only. Emits `PayerRegistered`, `AccountAdded`. Reverts with
    /// `RegistryTermsInvalid`, `RegistryAccountTaken`, `RegistryFull`.
    /// @return payer its number, counting from 1
    function registerPayer(PayerClass class, address account) external returns (uint8 payer);

    /// @notice Suspends a payer or lifts its suspension. Every claim call of a suspended payer is
    /// refused; its open locks can expire.
    /// @dev Registrar only. Emits `PayerSuspensionChanged`; reverts with `RegistryPayerUnknown`.
    function suspendPayer(uint8 payer, bool suspended) external;

    /// @notice As `rotateInstitutionAccount`, for a payer. A payer may have several accounts.
    /// @dev Registrar only. Reverts with `RegistryPayerUnknown` and the account errors.
    function rotatePayerAccount(uint8 payer, address oldAccount, address newAccount) external;

    /// @notice Publishes a policy pack by the SHA-256 of its canonical bytes. Never withdrawn.
    /// @dev Policy publisher only. Emits `PolicyPublished`; reverts with `RegistryPolicyInvalid`.
    /// @param effectiveFrom the first second at which the policy says it applies. It is a
    /// statement: the ledger does not know the date of a bill and asks only whether the hash was
    /// published.
    function publishPolicy(bytes32 policyHash, uint32 effectiveFrom) external;

    /// @notice Stops intake: anchor, supersede, lodge and expire. Everything else goes on.
    /// @dev Pauser only. Emits `Paused`; reverts with `RegistryPauseUnchanged`.
    function pause() external;

    /// @notice Opens intake again. Nothing can expire for 7 days from now.
    /// @dev Pauser only. Emits `Unpaused`; reverts with `RegistryPauseUnchanged`.
    function unpause() external;

    /// @notice Quarantines batches of an institution. They cannot be lodged, settled, renewed,
    /// supplemented, exchanged for paper or superseded to; a claim open there can only be released
    /// or expire; superseding to a leaf outside stays open. Batches that are not anchored yet may
    /// be named. Ranges may overlap.
    /// @dev Registrar only. Emits `BatchesQuarantined`. Reverts with `RegistryInstitutionUnknown`,
    /// `RegistryRangeInvalid`, `RegistryFull`.
    /// @param reason digest of the written reason
    function quarantine(uint16 institution, uint32 from, uint32 to, bytes32 reason) external;

    /// @notice Lifts a quarantine, named exactly as it was set.
    /// @dev Registrar only. Emits `QuarantineLifted`. Reverts with `RegistryInstitutionUnknown`,
    /// `RegistryRangeInvalid`.
    function lift(uint16 institution, uint32 from, uint32 to) external;

    /// @notice Announces the end of the ledger in force and its successor. After `retirementDelay`
    /// seconds the next generation is in force by time alone; nobody can stop or hasten it.
    /// @dev Default admin only. Emits `LedgerRetirementAnnounced`. Reverts with
    /// `RegistryRetirementPending`, `RegistryFull`, `RegistrySuccessorInvalid`: the successor must
    /// answer with this registry, the next generation, and as its predecessor a ledger on this
    /// registry of the generation in force, from the second retirement on the very ledger in force.
    function retireLedger(address successor) external;

    /// @notice An institution's record; `RegistryInstitutionUnknown` when there is none.
    function institution(uint16 number) external view returns (Institution memory);

    /// @notice The code of an institution, zero when there is none.
    function institutionCode(uint16 number) external view returns (bytes16);

    /// @notice The number registered under a code, zero when there is none.
    function institutionNumber(bytes16 code) external view returns (uint16);

    /// @notice The institution for which an account acts now, zero when there is none.
    function institutionOf(address account) external view returns (uint16);

    /// @notice As `institutionOf`, with the reason for which it may not anchor at this time, and
    /// the generation of the ledger that is in force.
    function anchorContext(address account)
        external
        view
        returns (uint16 institution, AnchorBar bar, uint8 generation);

    /// @notice The code of an institution, zero when there is none, and whether this batch of it is
    /// quarantined now.
    function batchContext(uint16 institution, uint32 sequence)
        external
        view
        returns (bytes16 code, bool quarantined);

    /// @notice The quarantined ranges of an institution, in no order.
    function quarantines(uint16 institution) external view returns (Range[] memory);

    /// @notice A payer's record; `RegistryPayerUnknown` when there is none.
    function payer(uint8 number) external view returns (Payer memory);

    /// @notice The payer for which an account acts now, zero when there is none.
    function payerOf(address account) external view returns (uint8);

    /// @notice What the ledger must know of a call.
    function callerContext(address account) external view returns (CallerContext memory);

    /// @notice Whether the account holds the registrar role now.
    function isRegistrar(address account) external view returns (bool);

    /// @notice What an account acts for or once acted for.
    function accountOf(address account) external view returns (Account memory);

    /// @notice When a policy was published and from when it applies, in Unix seconds; zeros when
    /// it was not published.
    function policy(bytes32 policyHash)
        external
        view
        returns (uint32 publishedAt, uint32 effectiveFrom);

    /// @notice Whether intake is paused, and when it was last opened again (0: never).
    function pauseState() external view returns (bool paused, uint32 unpausedAt);

    /// @notice How many institutions and payers are registered.
    function counts() external view returns (uint16 institutions, uint8 payers);

    /// @notice Seconds between the announcement of a retirement and its effect; never changes.
    function retirementDelay() external view returns (uint32);

    /// @notice The generation of the ledger that is in force now; the first is 1.
    function generationInForce() external view returns (uint8);

    /// @notice The announced retirement that has not had its effect yet, else zeros.
    function pendingRetirement() external view returns (address successor, uint32 effectiveAt);

    /// @notice The ledger announced for a generation, zero when none was. Generation 1 was never
    /// announced.
    function announcedLedger(uint8 generation) external view returns (address);
}
