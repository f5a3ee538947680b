// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IInvoiceLedger} from "./interfaces/IInvoiceLedger.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";

/// @title Institutions, payers, their accounts, policies, quarantines, pause and the ledger in
/// force
/// @dev Specified in `IRegistry`. Immutable: no proxy, nothing is ever deleted.
contract Registry is IRegistry, AccessControlDefaultAdminRules {
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");
    bytes32 public constant POLICY_PUBLISHER_ROLE = keccak256("POLICY_PUBLISHER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @inheritdoc IRegistry
    uint32 public immutable retirementDelay;

    uint8 private constant _PAYERS_MAX = 64;
    uint256 private constant _QUARANTINES_MAX = 32;

    /// @dev One storage slot, so that a payer's call reads it once.
    /// @param quarantines how many ranges are quarantined, of all institutions
    /// @param generation of the ledger in force before `retiresAt`
    /// @param retiresAt from when the next generation is in force; 0: none was announced
    struct State {
        uint64 basicPayers;
        uint64 suspendedPayers;
        uint32 unpausedAt;
        uint32 retiresAt;
        uint24 quarantines;
        uint16 institutions;
        uint8 payers;
        uint8 generation;
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
    mapping(uint16 institution => Range[]) private _quarantines;
    mapping(uint8 generation => address) private _announcedLedgers;

    /// @param adminDelay seconds between announcing and accepting a new admin
    /// @param retirementDelay_ seconds between announcing a ledger's retirement and its effect
    /// @param admin grants and revokes the three roles
    /// @param registrar first holder of `REGISTRAR_ROLE`
    /// @param policyPublisher first holder of `POLICY_PUBLISHER_ROLE`
    /// @param pauser first holder of `PAUSER_ROLE`
    constructor(
        uint48 adminDelay,
        uint32 retirementDelay_,
        address admin,
        address registrar,
        address policyPublisher,
        address pauser
    ) AccessControlDefaultAdminRules(adminDelay, admin) {
        retirementDelay = retirementDelay_;
        _state.generation = 1;
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
            Institution(code, agreementFrom, agreementUntil, graceSeconds, custody, false, 0);
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
    function quarantine(uint16 number, uint32 from, uint32 to, bytes32 reason)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        Institution storage record = _requireInstitution(number);
        Range[] storage ranges = _quarantines[number];
        if (from == 0 || from > to || _indexOf(ranges, from, to) != ranges.length) {
            revert RegistryRangeInvalid(number, from, to);
        }
        if (ranges.length == _QUARANTINES_MAX) revert RegistryFull();
        ranges.push(Range(from, to));
        ++record.quarantines;
        ++_state.quarantines;
        emit BatchesQuarantined(number, from, to, reason);
    }

    /// @inheritdoc IRegistry
    function lift(uint16 number, uint32 from, uint32 to) external onlyRole(REGISTRAR_ROLE) {
        Institution storage record = _requireInstitution(number);
        Range[] storage ranges = _quarantines[number];
        uint256 index = _indexOf(ranges, from, to);
        if (index == ranges.length) revert RegistryRangeInvalid(number, from, to);
        ranges[index] = ranges[ranges.length - 1];
        ranges.pop();
        --record.quarantines;
        --_state.quarantines;
        emit QuarantineLifted(number, from, to);
    }

    /// @inheritdoc IRegistry
    function retireLedger(address successor) external onlyRole(DEFAULT_ADMIN_ROLE) {
        State storage state = _state;
        if (_isPending(state.retiresAt)) {
            revert RegistryRetirementPending(
                _announcedLedgers[state.generation + 1], state.retiresAt
            );
        }
        uint8 present = generationInForce();
        if (present == type(uint8).max) revert RegistryFull();
        if (!_isSuccessor(successor, present)) revert RegistrySuccessorInvalid(successor);
        uint32 effectiveAt = uint32(block.timestamp) + retirementDelay;
        state.generation = present;
        state.retiresAt = effectiveAt;
        _announcedLedgers[present + 1] = successor;
        emit LedgerRetirementAnnounced(present + 1, successor, effectiveAt);
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
    function anchorContext(address account)
        external
        view
        returns (uint16 number, AnchorBar bar, uint8 generation)
    {
        number = institutionOf(account);
        return (number, _anchorBar(_institutions[number]), generationInForce());
    }

    /// @inheritdoc IRegistry
    function batchContext(uint16 number, uint32 sequence)
        external
        view
        returns (bytes16 code, bool quarantined)
    {
        Institution storage record = _institutions[number];
        code = record.code;
        if (record.quarantines == 0) return (code, false);
        Range[] storage ranges = _quarantines[number];
        for (uint256 i = 0; i < ranges.length; ++i) {
            if (ranges[i].from <= sequence && sequence <= ranges[i].to) return (code, true);
        }
    }

    /// @inheritdoc IRegistry
    function quarantines(uint16 number) external view returns (Range[] memory) {
        return _quarantines[number];
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
    function callerContext(address account) external view returns (CallerContext memory context) {
        State memory state = _state;
        Account memory found = _accounts[account];
        if (found.active && found.kind == AccountKind.Payer) {
            context.payer = uint8(found.number);
            context.suspended = state.suspendedPayers & _payerBit(context.payer) != 0;
        } else if (found.active) {
            context.institution = found.number;
            context.suspended = _institutions[found.number].suspended;
        }
        context.paused = state.paused;
        context.hasQuarantines = state.quarantines != 0;
        context.generation = _inForce(state.generation, state.retiresAt);
        context.unpausedAt = state.unpausedAt;
        context.basicPayers = state.basicPayers;
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

    /// @inheritdoc IRegistry
    function generationInForce() public view returns (uint8) {
        return _inForce(_state.generation, _state.retiresAt);
    }

    /// @inheritdoc IRegistry
    function pendingRetirement() external view returns (address successor, uint32 effectiveAt) {
        if (!_isPending(_state.retiresAt)) return (address(0), 0);
        return (_announcedLedgers[_state.generation + 1], _state.retiresAt);
    }

    /// @inheritdoc IRegistry
    function announcedLedger(uint8 generation) external view returns (address) {
        return _announcedLedgers[generation];
    }

    function _isPending(uint32 retiresAt) private view returns (bool) {
        return block.timestamp < retiresAt;
    }

    function _inForce(uint8 generation, uint32 retiresAt) private view returns (uint8) {
        return retiresAt == 0 || _isPending(retiresAt) ? generation : generation + 1;
    }

    /// @dev Asks the address itself, so that no wrong one is announced for ever by mistake.
    function _isSuccessor(address successor, uint8 present) private view returns (bool) {
        if (successor.code.length == 0) return false;
        IInvoiceLedger ledger = IInvoiceLedger(successor);
        if (address(ledger.registry()) != address(this)) return false;
        if (ledger.generation() != present + 1) return false;
        IInvoiceLedger old = ledger.predecessor();
        if (present > 1) return address(old) == _announcedLedgers[present];
        return address(old).code.length != 0 && address(old.registry()) == address(this)
            && old.generation() == 1;
    }

    /// @dev Where the range stands, or the length when it does not.
    function _indexOf(Range[] storage ranges, uint32 from, uint32 to)
        private
        view
        returns (uint256 index)
    {
        while (index < ranges.length && (ranges[index].from != from || ranges[index].to != to)) {
            ++index;
        }
    }

    function _anchorBar(Institution storage record) private view returns (AnchorBar) {
        if (_state.paused) return AnchorBar.Paused;
        if (record.suspended) return AnchorBar.Suspended;
        if (block.timestamp < record.agreementFrom) return AnchorBar.BeforeAgreement;
        if (block.timestamp > uint256(record.agreementUntil) + record.graceSeconds) {
            return AnchorBar.AfterGrace;
        }
        return AnchorBar.None;
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
