// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ExpireCheck,
    RecoverCheck,
    ReleaseCheck,
    RenewCheck,
    SettleCheck,
    SupplementCheck,
    ViewsCheck
} from "./ClaimProofs.sol";
import {AnchorCheck, RuleCheck} from "./IssuerProofs.sol";
import {BILL, LodgeCheck, SECOND} from "./LodgeProofs.sol";

// Proved of the very bytes that are deployed: `LEDGER_CODE` holds the committed artefact's.

contract ViewsProof is ViewsCheck {}

contract SettleProof is SettleCheck {}

contract SupplementProof is SupplementCheck {}

contract RecoverProof is RecoverCheck {}

contract ReleaseProof is ReleaseCheck {}

contract ExpireProof is ExpireCheck {}

contract RenewProof is RenewCheck {}

contract RuleProof is RuleCheck {}

contract AnchorProof is AnchorCheck {}

/// @dev Nobody has settled the bill.
/// @custom:halmos --solver-timeout-branching 20ms
contract LodgeProof is LodgeCheck {
    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }
}

/// @dev One payer has.
/// @custom:halmos --solver-timeout-branching 20ms
contract LodgePaidProof is LodgeCheck {
    function _settled() internal pure override returns (bytes1) {
        return 0x01;
    }
}

/// @dev With a second key, which may be that of another bill.
/// @custom:halmos --solver-timeout-branching 20ms
contract LodgeSecondProof is LodgeCheck {
    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }

    function _secondKey() internal pure override returns (bytes32) {
        return SECOND;
    }
}

/// @dev With a second key, which may be the bill's already.
/// @custom:halmos --solver-timeout-branching 20ms
contract LodgeOwnSecondProof is LodgeCheck {
    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }

    function _secondKey() internal pure override returns (bytes32) {
        return SECOND;
    }

    function _primaryOfSecond() internal pure override returns (bytes32) {
        return BILL;
    }
}
