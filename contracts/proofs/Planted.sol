// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ExpireCheck,
    RecoverCheck,
    ReleaseCheck,
    RenewCheck,
    SettleCheck,
    SupplementCheck
} from "./ClaimProofs.sol";
import {AnchorCheck, RuleCheck} from "./IssuerProofs.sol";
import {LodgeCheck, SECOND} from "./LodgeProofs.sol";

// Each proof must fail on a ledger with a planted bug, or it would prove nothing. The bugs are listed
// in `planted.json`; the ledger with all of them asks its registry at deployment which one it has.

/// @dev Settle with a stale counter pays on a later claim.
contract Planted1 is SettleCheck {
    function plantedBug() public pure override returns (uint256) {
        return 1;
    }
}

/// @dev Settle does not ask who has settled before.
contract Planted2 is SettleCheck {
    function plantedBug() public pure override returns (uint256) {
        return 2;
    }
}

/// @dev Settle passes the total.
contract Planted3 is SettleCheck {
    function plantedBug() public pure override returns (uint256) {
        return 3;
    }
}

/// @dev Release forgets what was settled.
contract Planted8 is ReleaseCheck {
    function plantedBug() public pure override returns (uint256) {
        return 8;
    }
}

/// @dev Expire before the deadline.
contract Planted9 is ExpireCheck {
    function plantedBug() public pure override returns (uint256) {
        return 9;
    }
}

/// @dev Renew of another payer's claim.
contract Planted10 is RenewCheck {
    function plantedBug() public pure override returns (uint256) {
        return 10;
    }
}

/// @dev Supplement sent twice pays twice.
contract Planted11 is SupplementCheck {
    function plantedBug() public pure override returns (uint256) {
        return 11;
    }
}

/// @dev Supplement passes the total.
contract Planted12 is SupplementCheck {
    function plantedBug() public pure override returns (uint256) {
        return 12;
    }
}

/// @dev A recovery number is used for another recovery.
contract Planted13 is RecoverCheck {
    function plantedBug() public pure override returns (uint256) {
        return 13;
    }
}

/// @dev A ruling under a claim, or on the second key of a bill under claim.
contract Planted17 is RuleCheck {
    function plantedBug() public pure override returns (uint256) {
        return 17;
    }
}

/// @dev Another anchor replaces a head.
contract Planted18 is AnchorCheck {
    function plantedBug() public pure override returns (uint256) {
        return 18;
    }
}

/// @dev Lodge over an open claim.
/// @custom:halmos --solver-timeout-branching 20ms
contract Planted5 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 5;
    }

    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }
}

/// @dev Lodge with any counter.
/// @custom:halmos --solver-timeout-branching 20ms
contract Planted6 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 6;
    }

    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }
}

/// @dev Lodge after an own settlement or another basic insurer's.
/// @custom:halmos --solver-timeout-branching 20ms
contract Planted7 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 7;
    }

    function _settled() internal pure override returns (bytes1) {
        return 0x01;
    }
}

/// @dev Lodge takes a second key that is bound itself.
/// @custom:halmos --solver-timeout-branching 20ms
contract Planted19 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 19;
    }

    function _settled() internal pure override returns (bytes1) {
        return 0x00;
    }

    function _secondKey() internal pure override returns (bytes32) {
        return SECOND;
    }
}
