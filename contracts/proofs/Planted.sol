// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ExpireCheck,
    RecoverCheck,
    ReleaseCheck,
    RenewCheck,
    SettleCheck,
    SettleBatchCheck,
    SupplementCheck
} from "./ClaimProofs.sol";
import {
    LodgeCheck
} from "./LodgeProofs.sol";
import {
    AnchorCheck,
    PaperCheck,
    RuleCheck,
    SupersedeCheck,
    WithdrawCheck
} from "./IssuerProofs.sol";

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

/// @dev Settle leaves the claim open, so that the item again pays again.
contract Planted4 is SettleBatchCheck {
    function plantedBug() public pure override returns (uint256) {
        return 4;
    }
}

/// @dev Lodge over an open claim.
contract Planted5 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 5;
    }
}

/// @dev Lodge with any counter.
contract Planted6 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 6;
    }
}

/// @dev Lodge after an own settlement or another basic insurer's.
contract Planted7 is LodgeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 7;
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

/// @dev Supersede under a claim.
contract Planted14 is SupersedeCheck {
    function plantedBug() public pure override returns (uint256) {
        return 14;
    }
}

/// @dev Exchange for paper under a claim.
contract Planted15 is PaperCheck {
    function plantedBug() public pure override returns (uint256) {
        return 15;
    }
}

/// @dev Void of another institution's bill.
contract Planted16 is WithdrawCheck {
    function plantedBug() public pure override returns (uint256) {
        return 16;
    }
}

/// @dev Ruling under a claim, or on the second key of a bill under claim.
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
