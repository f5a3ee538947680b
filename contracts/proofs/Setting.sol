// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "../interfaces/IInvoiceLedger.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Slot} from "../libraries/Slot.sol";
import {LEDGER_CODE} from "./LedgerCode.sol";

/// @dev The parts of the prover's interface that the proofs use.
interface Vm {
    /// @dev Leaves out every case in which the condition is false.
    function assume(bool condition) external;
    function warp(uint256 time) external;
    function etch(address account, bytes calldata code) external;
    function load(address account, bytes32 place) external view returns (bytes32);
    function store(address account, bytes32 place, bytes32 value) external;
}

interface Svm {
    /// @dev From here on the account's storage can be anything.
    function enableSymbolicStorage(address account) external;
}

/// @dev Stands in for the SHA-256 precompile, of which the prover knows no symbolic value: in the code
/// under proof the precompile's address, 2, is replaced by `OPAQUE_HASH`. To the proofs a hash is
/// opaque; they need only that different inputs have different hashes.
contract OpaqueHash {
    fallback(bytes calldata data) external returns (bytes memory) {
        return abi.encode(keccak256(data));
    }
}

address constant OPAQUE_HASH = address(255);

/// @title Any ledger state, any registry, any caller, any time
/// @dev The ledger under proof is made from `LEDGER_CODE`, a file that the check writes: the committed
/// artefact's bytes, or those of a ledger with planted bugs. The contract that proves is its registry
/// and its only caller. All storage is symbolic: the registry answers anything, the ledger holds
/// anything. Each proof assumes `isSound` of the slots that it looks at, and shows that they stay so.
///
/// Conditions are written without branches (`all`, `implies`): each branch multiplies the cases.
abstract contract Setting {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Svm internal constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    IInvoiceLedger internal _ledger;
    /// @dev The fields of `IRegistry.CallerContext`, a word each, as they are encoded.
    uint256[8] internal _context;
    uint256 internal _anchorBar;
    uint256 internal _isRegistrar;
    mapping(uint256 institutionAndSequence => uint256) internal _quarantined;
    mapping(uint256 institution => uint256) internal _codes;
    mapping(bytes32 policyHash => uint256) internal _published;

    function setUp() external {
        svm.enableSymbolicStorage(address(this));
        vm.etch(OPAQUE_HASH, type(OpaqueHash).runtimeCode);
        bytes memory code =
            abi.encodePacked(LEDGER_CODE, abi.encode(address(this), address(0)));
        address made;
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
        }
        require(made != address(0));
        _ledger = IInvoiceLedger(made);
        svm.enableSymbolicStorage(made);
    }

    /// @notice The planted bug that the ledger has; 0 for none.
    function plantedBug() public pure virtual returns (uint256) {
        return 0;
    }

    // What the ledger asks its registry; a word for each value, as it is encoded.

    function callerContext(address) external view returns (uint256[8] memory) {
        return _context;
    }

    function anchorContext(address) external view returns (uint256, uint256, uint256) {
        return (_context[1], _anchorBar, _context[5]);
    }

    function isRegistrar(address) external view returns (uint256) {
        return _isRegistrar & 1;
    }

    /// @dev Institution 0 does not exist.
    function batchContext(uint16 institution, uint32 sequence)
        external
        view
        returns (uint256, uint256)
    {
        uint256 place = (uint256(institution) << 32) | sequence;
        return (_code(institution), _quarantined[place] & _context[4]);
    }

    function _code(uint16 institution) private view returns (uint256) {
        return institution == 0 ? 0 : _codes[institution] << 128;
    }

    function policy(bytes32 policyHash) external view returns (uint256, uint256) {
        return (_published[policyHash] & 1, 0);
    }

    // What the proofs share.

    // The ledger's mappings are read where they are stored, without the branches of its views;
    // `ViewsProof` shows that the views say the same.

    function _slot(bytes32 key) internal view returns (Slot) {
        return Slot.wrap(uint256(_stored(key, 0)));
    }

    function _primaryKey(bytes32 secondKey) internal view returns (bytes32) {
        return _stored(secondKey, 1);
    }

    function _head(uint16 institution, uint32 sequence) internal view returns (bytes32) {
        return _stored(bytes32((uint256(institution) << 32) | sequence), 2);
    }

    function _recovery(bytes32 recoveryNumber) internal view returns (bytes32) {
        return _stored(recoveryNumber, 3);
    }

    function _stored(bytes32 key, uint256 mappingPlace) private view returns (bytes32) {
        return vm.load(address(_ledger), keccak256(abi.encode(key, mappingPlace)));
    }

    /// @dev Any caller that acts for a payer (the others are refused before all else), any time.
    function _enter(IRegistry.CallerContext calldata caller, uint32 time) internal {
        vm.assume(all(caller.payer != 0, caller.payer <= 64));
        _context = [
            uint256(caller.payer),
            caller.institution,
            word(caller.suspended),
            word(caller.paused),
            word(caller.hasQuarantines),
            caller.generation,
            caller.unpausedAt,
            caller.basicPayers
        ];
        vm.warp(time);
    }

    /// @dev As `_enter`, for a caller whom nothing bars whatever the item: not suspended, not paused,
    /// nothing quarantined, this ledger in force. `BarredProof` has the others.
    function _enterUnbarred(IRegistry.CallerContext calldata caller, uint32 time) internal {
        _enter(caller, time);
        (_context[2], _context[3], _context[4], _context[5]) = (0, 0, 0, 1);
    }

    /// @dev An anchored batch: an institution's, in range (`AnchorProof`), and the head binds the size.
    function _assumeAnchored(IInvoiceLedger.BatchRef memory batch) internal {
        vm.assume(
            all(
                all(batch.sequence != 0, batch.sequence < 2 ** 22),
                all(batch.size != 0, batch.size <= 1024)
            )
        );
        bytes32 head = _ledger.computeHead(batch);
        vm.assume(all(batch.institution != 0, head != 0));
        uint256 place = (uint256(batch.institution) << 32) | batch.sequence;
        vm.store(address(_ledger), keccak256(abi.encode(place, uint256(2))), head);
    }

    /// @dev Any sound slot of a key.
    function _soundSlot(IRegistry.CallerContext calldata caller, bytes32 key)
        internal
        returns (Slot slot)
    {
        slot = _slot(key);
        vm.assume(isSound(slot, caller.basicPayers));
    }

    /// @dev Of a bill, and of the bill whose second key it may be: the payers that have settled are
    /// among the first four. The caller may be any. It bounds the search for a refusal's holder, which
    /// is all that asks for the lowest of several payers; elsewhere numbers are only compared.
    function _assumeEarlyPayers(bytes32 key) internal {
        vm.assume(
            all(
                _slot(key).settledPayers() < 16,
                _slot(_primaryKey(key)).settledPayers() < 16
            )
        );
    }

    /// @dev Any slot of a bill on which of all payers the first four at most have settled.
    function _giveSlot(bytes32 key, bytes1 settled, bytes24 rest) internal {
        bytes32 slot_ = bytes32(abi.encodePacked(bytes7(0), settled, rest));
        vm.store(address(_ledger), keccak256(abi.encode(key, uint256(0))), slot_);
    }

    function _givePrimary(bytes32 key, bytes32 primary) internal {
        vm.store(address(_ledger), keccak256(abi.encode(key, uint256(1))), primary);
    }

    /// @dev Calls the ledger; a call that reverts changes nothing, by the rules of the machine.
    function _call(bytes memory data) internal returns (bool done) {
        (done,) = address(_ledger).call(data);
    }
}

function word(bool value) pure returns (uint256 bit) {
    assembly ("memory-safe") {
        bit := value
    }
}

function all(bool a, bool b) pure returns (bool both) {
    assembly ("memory-safe") {
        both := and(a, b)
    }
}

function implies(bool a, bool b) pure returns (bool holds) {
    assembly ("memory-safe") {
        holds := or(iszero(a), b)
    }
}

function same(Slot a, Slot b) pure returns (bool) {
    return Slot.unwrap(a) == Slot.unwrap(b);
}

/// @dev The bit of the caller's payer among settled payers.
function ownBit(IRegistry.CallerContext calldata caller) pure returns (uint256) {
    unchecked {
        return uint256(1) << (caller.payer - 1);
    }
}

/// @dev The payers of which one settlement bars the caller's.
function rivals(IRegistry.CallerContext calldata caller) pure returns (uint256) {
    unchecked {
        uint256 own = ownBit(caller);
        return own | (caller.basicPayers * word(caller.basicPayers & own != 0));
    }
}

/// @dev What is true of every slot that the ledger can reach: nothing is paid beyond the total; of
/// basic insurers at most one has settled; without a leaf there is nothing but the lodge counter and
/// `moved`; a second key and a paper bill's key carry no claim, no payment and no amount; without an
/// open claim there is no deadline.
function isSound(Slot slot, uint256 basicPayers) pure returns (bool) {
    uint256 raw = Slot.unwrap(slot);
    unchecked {
        uint256 basic = (raw >> 192) & basicPayers;
        uint256 kept = (uint256(0xffff) << 168) | (uint256(64) << 184);
        uint256 claims = (uint256(0xffffffffffffffff) << 192) | (uint256(0xff) << 160);
        uint256 aliasOrPaper = uint256(48) << 184;
        bool hasDeadline = (raw >> 128) & (2 ** 32 - 1) != 0;
        bool hasClaim = (raw >> 160) & 0xff != 0;
        return all(
            implies(hasDeadline, hasClaim),
            all(
            all((raw >> 40) & (2 ** 40 - 1) <= raw & (2 ** 40 - 1), basic & (basic - 1) == 0),
            all(
                implies((raw >> 80) & (2 ** 48 - 1) == 0, raw & ~kept == 0),
                implies(raw & aliasOrPaper != 0, raw & (claims | (2 ** 80 - 1)) == 0)
            )
            )
        );
    }
}
