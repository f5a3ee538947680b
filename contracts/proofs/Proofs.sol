// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ExpireCheck,
    RecoverCheck,
    ReleaseCheck,
    RenewCheck,
    SettleBatchCheck,
    SettleCheck,
    SupplementCheck,
    ViewsCheck
} from "./ClaimProofs.sol";
import {
    AnchorCheck,
    PaperCheck,
    RuleCheck,
    RuleForCheck,
    SupersedeCheck,
    WithdrawCheck
} from "./IssuerProofs.sol";
import {LodgeCheck} from "./LodgeProofs.sol";

// Proved of the very bytes that are deployed: `LEDGER_CODE` holds the committed artefact's.

contract ViewsProof is ViewsCheck {}

contract SettleProof is SettleCheck {}

contract SettleBatchProof is SettleBatchCheck {}

contract SupplementProof is SupplementCheck {}

contract RecoverProof is RecoverCheck {}

contract ReleaseProof is ReleaseCheck {}

contract ExpireProof is ExpireCheck {}

contract RenewProof is RenewCheck {}

contract LodgeProof is LodgeCheck {}

contract SupersedeProof is SupersedeCheck {}

contract WithdrawProof is WithdrawCheck {}

contract PaperProof is PaperCheck {}

contract RuleProof is RuleCheck {}

contract RuleForProof is RuleForCheck {}

contract AnchorProof is AnchorCheck {}
