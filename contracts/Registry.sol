// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title Institutions, payers, their accounts, policies and the pause of intake
/// @dev Specified in `IRegistry`. Immutable: no proxy, nothing is ever deleted.
contract Registry is IRegistry, AccessControlDefaultAdminRules {
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");
    bytes32 public constant POLICY_PUBLISHER_ROLE = keccak256("POLICY_PUBLISHER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    uint8 private constant _PAYERS_MAX = 64;

    /// @dev One storage slot, so that a payer's call reads it once.
    struct State {
        uint64 basicPayers;
        uint64 suspendedPayers;
        uint32 unpausedAt;
        uint16 institutions;
        uint8 payers;
        bool paused;
    }

    struct Policy {
        uint32 publishedAt;
        uint32 effectiveFrom;
    }

    State private _state;
    mapping(uint16 number => Institution) private _institutions;
    mapping(bytes16 code => uint16 number) private _institutionNumbers;
    mapping(uint8 number => PayerClass) private _payerClasses;
    mapping(address account => Account) private _accounts;
    mapping(bytes32 policyHash => Policy) private _policies;

    /// @param adminDelay seconds between announcing and accepting a new admin
    /// @param admin grants and revokes the three roles
    /// @param registrar first holder of `REGISTRAR_ROLE`
    /// @param policyPublisher first holder of `POLICY_PUBLISHER_ROLE`
    /// @param pauser first holder of `PAUSER_ROLE`
    constructor(
        uint48 adminDelay,
        address admin,
        address registrar,
        address policyPublisher,
        address pauser
    ) AccessControlDefaultAdminRules(adminDelay, admin) {
        _grantRole(REGISTRAR_ROLE, registrar);
        _grantRole(POLICY_PUBLISHER_ROLE, policyPublisher);
        _grantRole(PAUSER_ROLE, pauser);
    }

    /// @inheritdoc IRegistry
    function registerInstitution(
        bytes16 code,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody,
        address account
    ) external onlyRole(REGISTRAR_ROLE) returns (uint16 number) {
        uint16 taken = _institutionNumbers[code];
        if (code == 0 || taken != 0) revert RegistryCodeTaken(code, taken);
        _requireTerms(agreementFrom, agreementUntil, custody);
        if (_state.institutions == type(uint16).max) revert RegistryFull();
        number = ++_state.institutions;
        _institutionNumbers[code] = number;
        _institutions[number] =
            Institution(code, agreementFrom, agreementUntil, graceSeconds, custody, false);
        emit InstitutionRegistered(
            number, code, agreementFrom, agreementUntil, graceSeconds, custody
        );
        _addAccount(AccountKind.Institution, number, account);
    }

    /// @inheritdoc IRegistry
    function changeInstitutionTerms(
        uint16 number,
        uint32 agreementFrom,
        uint32 agreementUntil,
        uint32 graceSeconds,
        Custody custody
    ) external onlyRole(REGISTRAR_ROLE) {
        Institution storage record = _requireInstitution(number);
        _requireTerms(agreementFrom, agreementUntil, custody);
        record.agreementFrom = agreementFrom;
        record.agreementUntil = agreementUntil;
        record.graceSeconds = graceSeconds;
        record.custody = custody;
        emit InstitutionTermsChanged(number, agreementFrom, agreementUntil, graceSeconds, custody);
    }

    /// @inheritdoc IRegistry
    function suspendInstitution(uint16 number, bool suspended) external onlyRole(REGISTRAR_ROLE) {
        _requireInstitution(number).suspended = suspended;
        emit InstitutionSuspensionChanged(number, suspended);
    }

    /// @inheritdoc IRegistry
    function rotateInstitutionAccount(uint16 number, address oldAccount, address newAccount)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        _requireInstitution(number);
        _rotateAccount(AccountKind.Institution, number, oldAccount, newAccount);
    }

    /// @inheritdoc IRegistry
    function registerPayer(PayerClass class, address account)
        external
        onlyRole(REGISTRAR_ROLE)
        returns (uint8 number)
    {
        if (class == PayerClass.None) revert RegistryTermsInvalid();
        if (_state.payers == _PAYERS_MAX) revert RegistryFull();
        number = ++_state.payers;
        _payerClasses[number] = class;
        if (class == PayerClass.Basic) _state.basicPayers |= _payerBit(number);
        emit PayerRegistered(number, class);
        _addAccount(AccountKind.Payer, number, account);
    }

    /// @inheritdoc IRegistry
    function suspendPayer(uint8 number, bool suspended) external onlyRole(REGISTRAR_ROLE) {
        _requirePayer(number);
        if (suspended) _state.suspendedPayers |= _payerBit(number);
        else _state.suspendedPayers &= ~_payerBit(number);
        emit PayerSuspensionChanged(number, suspended);
    }

    /// @inheritdoc IRegistry
    function rotatePayerAccount(uint8 number, address oldAccount, address newAccount)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        _requirePayer(number);
        _rotateAccount(AccountKind.Payer, number, oldAccount, newAccount);
    }

    /// @inheritdoc IRegistry
    function publishPolicy(bytes32 policyHash, uint32 effectiveFrom)
        external
        onlyRole(POLICY_PUBLISHER_ROLE)
    {
        if (policyHash == 0 || _policies[policyHash].publishedAt != 0) {
            revert RegistryPolicyInvalid(policyHash);
        }
        _policies[policyHash] = Policy(uint32(block.timestamp), effectiveFrom);
        emit PolicyPublished(policyHash, effectiveFrom, msg.sender);
    }

    /// @inheritdoc IRegistry
    function pause() external onlyRole(PAUSER_ROLE) {
        if (_state.paused) revert RegistryPauseUnchanged(true);
        _state.paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IRegistry
    function unpause() external onlyRole(PAUSER_ROLE) {
        if (!_state.paused) revert RegistryPauseUnchanged(false);
        _state.paused = false;
        _state.unpausedAt = uint32(block.timestamp);
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IRegistry
    function institution(uint16 number) external view returns (Institution memory) {
        return _requireInstitution(number);
    }

    /// @inheritdoc IRegistry
    function institutionCode(uint16 number) external view returns (bytes16) {
        return _institutions[number].code;
    }

    /// @inheritdoc IRegistry
    function institutionNumber(bytes16 code) external view returns (uint16) {
        return _institutionNumbers[code];
    }

    /// @inheritdoc IRegistry
    function institutionOf(address account) public view returns (uint16) {
        Account storage found = _accounts[account];
        return found.active && found.kind == AccountKind.Institution ? found.number : 0;
    }

    /// @inheritdoc IRegistry
    function issuerContext(address account)
        external
        view
        returns (uint16 number, bool suspended, bool paused)
    {
        number = institutionOf(account);
        return (number, _institutions[number].suspended, _state.paused);
    }

    /// @inheritdoc IRegistry
    function anchorContext(address account) external view returns (uint16 number, AnchorBar bar) {
        number = institutionOf(account);
        if (_state.paused) return (number, AnchorBar.Paused);
        Institution memory record = _institutions[number];
        if (record.suspended) return (number, AnchorBar.Suspended);
        if (block.timestamp < record.agreementFrom) return (number, AnchorBar.BeforeAgreement);
        if (block.timestamp > uint256(record.agreementUntil) + record.graceSeconds) {
            return (number, AnchorBar.AfterGrace);
        }
        return (number, AnchorBar.None);
    }

    /// @inheritdoc IRegistry
    function payer(uint8 number) external view returns (Payer memory) {
        _requirePayer(number);
        return Payer(_payerClasses[number], _state.suspendedPayers & _payerBit(number) != 0);
    }

    /// @inheritdoc IRegistry
    function payerOf(address account) public view returns (uint8) {
        Account storage found = _accounts[account];
        return found.active && found.kind == AccountKind.Payer ? uint8(found.number) : 0;
    }

    /// @inheritdoc IRegistry
    function payerContext(address account) external view returns (PayerContext memory) {
        State memory state = _state;
        uint8 number = payerOf(account);
        bool suspended = number != 0 && state.suspendedPayers & _payerBit(number) != 0;
        return PayerContext(number, suspended, state.basicPayers, state.paused);
    }

    /// @inheritdoc IRegistry
    function isRegistrar(address account) external view returns (bool) {
        return hasRole(REGISTRAR_ROLE, account);
    }

    /// @inheritdoc IRegistry
    function accountOf(address account) external view returns (Account memory) {
        return _accounts[account];
    }

    /// @inheritdoc IRegistry
    function policy(bytes32 policyHash)
        external
        view
        returns (uint32 publishedAt, uint32 effectiveFrom)
    {
        Policy storage found = _policies[policyHash];
        return (found.publishedAt, found.effectiveFrom);
    }

    /// @inheritdoc IRegistry
    function pauseState() external view returns (bool paused, uint32 unpausedAt) {
        return (_state.paused, _state.unpausedAt);
    }

    /// @inheritdoc IRegistry
    function counts() external view returns (uint16 institutions, uint8 payers) {
        return (_state.institutions, _state.payers);
    }

    function _rotateAccount(
        AccountKind kind,
        uint16 number,
        address oldAccount,
        address newAccount
    ) private {
        if (oldAccount == address(0) && newAccount == address(0)) revert RegistryNoAccount();
        if (oldAccount != address(0)) {
            Account storage old = _accounts[oldAccount];
            if (!old.active || old.kind != kind || old.number != number) {
                revert RegistryAccountUnknown(oldAccount);
            }
            old.active = false;
            emit AccountRemoved(kind, number, oldAccount);
        }
        if (newAccount != address(0)) _addAccount(kind, number, newAccount);
    }

    function _addAccount(AccountKind kind, uint16 number, address account) private {
        if (account == address(0) || _accounts[account].kind != AccountKind.None) {
            revert RegistryAccountTaken(account);
        }
        _accounts[account] = Account(kind, number, true);
        emit AccountAdded(kind, number, account);
    }

    function _requireInstitution(uint16 number) private view returns (Institution storage record) {
        record = _institutions[number];
        if (record.code == 0) revert RegistryInstitutionUnknown(number);
    }

    function _requirePayer(uint8 number) private view {
        if (_payerClasses[number] == PayerClass.None) revert RegistryPayerUnknown(number);
    }

    function _requireTerms(uint32 agreementFrom, uint32 agreementUntil, Custody custody)
        private
        pure
    {
        if (agreementUntil < agreementFrom || custody == Custody.None) {
            revert RegistryTermsInvalid();
        }
    }

    function _payerBit(uint8 number) private pure returns (uint64) {
        return uint64(1) << (number - 1);
    }
}
