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
