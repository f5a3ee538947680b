// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IInvoiceLedger} from "./interfaces/IInvoiceLedger.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Anchoring} from "./ledger/Anchoring.sol";
import {Claims} from "./ledger/Claims.sol";
import {IssuerCalls} from "./ledger/IssuerCalls.sol";
import {FurtherPayments} from "./ledger/FurtherPayments.sol";
import {LedgerStorage} from "./ledger/LedgerStorage.sol";
import {LedgerViews} from "./ledger/LedgerViews.sol";
import {Lodging} from "./ledger/Lodging.sol";
import {Rulings} from "./ledger/Rulings.sol";

/// @title The invoice ledger
/// @dev Specified in `IInvoiceLedger`; each part has one job. Each call has one private function
/// that checks, writes and emits for one item and is the same for the single and the batch entry
/// point: it returns what bars the item, or 0 (see `LedgerReports`), and changes nothing unless it
/// returns 0. Nothing here calls a contract other than the registry and the predecessor, and only
/// their views.
contract InvoiceLedger is
    Anchoring,
    Lodging,
    Claims,
    FurtherPayments,
    IssuerCalls,
    Rulings,
    LedgerViews
{
    /// @param registry_ the registry that says who may call
    /// @param predecessor_ the ledger that this one succeeds, on the same registry; zero for the
    /// first
    constructor(IRegistry registry_, IInvoiceLedger predecessor_)
        LedgerStorage(registry_, predecessor_)
    {}
}
