// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who may write on the ledger, and under which policies
/// @notice Institutions and payers are numbers that never change hands. Accounts are keys that act
/// for a number and are rotated under it, so that a new key is still the same institution or payer.
/// An account acts for one number for ever: it is never given to another, even once removed, so
/// that an old signature has one meaning.
/// @dev Roles are OpenZeppelin access-control roles held by separate keys: the default admin (handed
/// over with a delay), `REGISTRAR_ROLE`, `POLICY_PUBLISHER_ROLE` and `PAUSER_ROLE`. A call without
/// its role reverts with OpenZeppelin's `AccessControlUnauthorizedAccount(account, role)`.
/// Limits: institutions 1..65535, payers 1..64, dates are Unix seconds in 32 bits.
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
    struct Institution {
        bytes16 code;
        uint32 agreementFrom;
        uint32 agreementUntil;
        uint32 graceSeconds;
        Custody custody;
        bool suspended;
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

    /// @notice All that the ledger needs to know of a payer's call, in one read.
    /// @param payer number of the active account's payer; 0 when it has none
    /// @param suspended whether that payer is suspended
    /// @param basicPayers bit `n - 1` is set when payer n is a basic insurer
    /// @param paused whether intake is paused
    struct PayerContext {
        uint8 payer;
        bool suspended;
        uint64 basicPayers;
        bool paused;
    }

    event InstitutionRegistered(
        uint16 indexed institution,
        bytes16 indexed code,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    );
    event InstitutionTermsChanged(
        uint16 indexed institution,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    );
    event InstitutionSuspensionChanged(uint16 indexed institution, bool suspended);
    event PayerRegistered(uint8 indexed payer, PayerClass class);
    event PayerSuspensionChanged(uint8 indexed payer, bool suspended);
    event AccountAdded(AccountKind indexed kind, uint16 indexed number, address indexed account);
    event AccountRemoved(AccountKind indexed kind, uint16 indexed number, address indexed account);
    event PolicyPublished(bytes32 indexed policyHash, uint32 effectiveFrom, address publisher);
    event Paused(address account);
    event Unpaused(address account);

    /// @notice The address is zero, or acts or once acted for a number.
    error RegistryAccountTaken(address account);
    /// @notice The account does not act for that number now.
    error RegistryAccountUnknown(address account);
    /// @notice Neither an account to add nor one to remove was named.
    error RegistryNoAccount();
    /// @notice The code is empty or registered under `institution`.
    error RegistryCodeTaken(bytes16 code, uint16 institution);
    error RegistryInstitutionUnknown(uint16 institution);
    error RegistryPayerUnknown(uint8 payer);
    /// @notice The agreement ends before it begins, or the custody mode or payer class is `None`.
    error RegistryTermsInvalid();
    /// @notice 64 payers or 65,535 institutions are registered.
    error RegistryFull();
    /// @notice A policy is published once and stays: its hash is zero or published already.
    error RegistryPolicyInvalid(bytes32 policyHash);
    /// @notice The registry is paused (for `pause`) or not paused (for `unpause`).
    error RegistryPauseUnchanged(bool paused);

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
    /// supersede, void or reverse; its anchored bills stay claimable.
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
    /// @param effectiveFrom the first second at which the policy says it applies. It is a statement:
    /// the ledger does not know the date of a bill and asks only whether the hash was published.
    function publishPolicy(bytes32 policyHash, uint32 effectiveFrom) external;

    /// @notice Stops intake: anchor, supersede, lodge and expire. Everything else goes on.
    /// @dev Pauser only. Emits `Paused`; reverts with `RegistryPauseUnchanged`.
    function pause() external;

    /// @notice Opens intake again. Nothing can expire for 7 days from now.
    /// @dev Pauser only. Emits `Unpaused`; reverts with `RegistryPauseUnchanged`.
    function unpause() external;

    /// @notice An institution's record; `RegistryInstitutionUnknown` when there is none.
    function institution(uint16 number) external view returns (Institution memory);

    /// @notice The code of an institution, zero when there is none.
    function institutionCode(uint16 number) external view returns (bytes16);

    /// @notice The number registered under a code, zero when there is none.
    function institutionNumber(bytes16 code) external view returns (uint16);

    /// @notice The institution for which an account acts now, zero when there is none.
    function institutionOf(address account) external view returns (uint16);

    /// @notice As `institutionOf`, and whether a suspension or the pause bars it now.
    function issuerContext(address account)
        external
        view
        returns (uint16 institution, bool suspended, bool paused);

    /// @notice As `institutionOf`, with the reason for which it may not anchor at this time.
    function anchorContext(address account)
        external
        view
        returns (uint16 institution, AnchorBar bar);

    /// @notice A payer's record; `RegistryPayerUnknown` when there is none.
    function payer(uint8 number) external view returns (Payer memory);

    /// @notice The payer for which an account acts now, zero when there is none.
    function payerOf(address account) external view returns (uint8);

    /// @notice What the ledger must know of a payer's call.
    function payerContext(address account) external view returns (PayerContext memory);

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
}
