"""Institutions, payers, accounts, policies, pause: who may do what."""

from __future__ import annotations

import pytest

from tests.contracts.bills import Bill, Desk, digest
from tests.contracts.chain import ADMIN_DELAY, DAY, HOSPITAL_CODE, Chain, expect_revert

CODE = HOSPITAL_CODE.encode().ljust(16, b"\0")
NEW_CODE = b"NEW".ljust(16, b"\0")


def _terms(chain: Chain) -> tuple[int, int, int, int]:
    return (chain.now(), chain.now() + DAY, DAY, 1)


def test_numbers_accounts_and_terms_are_read_back(chain: Chain) -> None:
    functions = chain.registry.functions
    assert chain.view(functions.counts()) == [2, 4]
    assert chain.view(functions.institutionOf(chain.accounts["clinic"])) == 2
    assert chain.view(functions.institutionNumber(CODE)) == 1
    code, start, end, grace, *rest = chain.view(functions.institution(1))
    assert (code, end - start, grace) == (CODE, 366 * DAY, 30 * DAY)
    assert rest == [1, False, 0]
    assert chain.view(functions.payerOf(chain.accounts["commercial"])) == 3
    assert [chain.view(functions.payer(n)) for n in (1, 2, 3, 4)] == [
        (1, False),
        (1, False),
        (2, False),
        (3, False),
    ]
    contexts = {
        "mutual": (4, 0, False, False, False, 1, 0, 0b11),
        "clinic": (0, 2, False, False, False, 1, 0, 0b11),
        "stranger": (0, 0, False, False, False, 1, 0, 0b11),
    }
    for role, context in contexts.items():
        assert chain.view(functions.callerContext(chain.accounts[role])) == context
    assert chain.view(functions.accountOf(chain.accounts["stranger"])) == (0, 0, False)


@pytest.mark.parametrize(
    ("call", "role_name"),
    [
        ("registerInstitution", "REGISTRAR_ROLE"),
        ("changeInstitutionTerms", "REGISTRAR_ROLE"),
        ("suspendInstitution", "REGISTRAR_ROLE"),
        ("rotateInstitutionAccount", "REGISTRAR_ROLE"),
        ("registerPayer", "REGISTRAR_ROLE"),
        ("suspendPayer", "REGISTRAR_ROLE"),
        ("rotatePayerAccount", "REGISTRAR_ROLE"),
        ("quarantine", "REGISTRAR_ROLE"),
        ("lift", "REGISTRAR_ROLE"),
        ("publishPolicy", "POLICY_PUBLISHER_ROLE"),
        ("pause", "PAUSER_ROLE"),
        ("unpause", "PAUSER_ROLE"),
    ],
)
@pytest.mark.parametrize("caller", ["stranger", "admin", "hospital", "basic"])
def test_a_call_is_refused_without_its_role(
    chain: Chain, call: str, role_name: str, caller: str
) -> None:
    functions = chain.registry.functions
    someone = chain.accounts["stranger"]
    arguments = {
        "registerInstitution": (NEW_CODE, *_terms(chain), someone),
        "changeInstitutionTerms": (1, *_terms(chain)),
        "suspendInstitution": (1, True),
        "rotateInstitutionAccount": (1, chain.accounts["hospital"], someone),
        "registerPayer": (1, someone),
        "suspendPayer": (1, True),
        "rotatePayerAccount": (1, chain.accounts["basic"], someone),
        "quarantine": (1, 1, 1, digest("reason")),
        "lift": (1, 1, 1),
        "publishPolicy": (digest("policy"), 0),
    }.get(call, ())
    role = chain.view(functions[role_name]())
    with expect_revert(
        chain.registry, "AccessControlUnauthorizedAccount", chain.accounts[caller], role
    ):
        chain.view(functions[call](*arguments), caller)


def test_faulty_registrations_are_refused(chain: Chain) -> None:
    functions = chain.registry.functions
    free, taken = chain.accounts["stranger"], chain.accounts["basic"]
    now, later, grace, custody = _terms(chain)
    cases = [
        (functions.registerInstitution(CODE, now, later, grace, 1, free), "CodeTaken", (CODE, 1)),
        (
            functions.registerInstitution(bytes(16), now, later, grace, 1, free),
            "CodeTaken",
            (bytes(16), 0),
        ),
        (
            functions.registerInstitution(NEW_CODE, later, now, grace, 1, free),
            "TermsInvalid",
            (),
        ),
        (functions.registerInstitution(NEW_CODE, now, later, grace, 0, free), "TermsInvalid", ()),
        (
            functions.registerInstitution(NEW_CODE, now, later, grace, custody, taken),
            "AccountTaken",
            (taken,),
        ),
        (functions.registerPayer(0, free), "TermsInvalid", ()),
        (functions.registerPayer(1, taken), "AccountTaken", (taken,)),
        (functions.registerPayer(1, "0x" + "00" * 20), "AccountTaken", ("0x" + "00" * 20,)),
        (functions.changeInstitutionTerms(9, now, later, grace, 1), "InstitutionUnknown", (9,)),
        (functions.changeInstitutionTerms(1, later, now, grace, 1), "TermsInvalid", ()),
        (functions.suspendInstitution(9, True), "InstitutionUnknown", (9,)),
        (functions.suspendPayer(5, True), "PayerUnknown", (5,)),
        (functions.suspendPayer(0, True), "PayerUnknown", (0,)),
        (functions.rotatePayerAccount(65, taken, free), "PayerUnknown", (65,)),
        (functions.rotatePayerAccount(2, taken, free), "AccountUnknown", (taken,)),
        (functions.rotateInstitutionAccount(1, taken, free), "AccountUnknown", (taken,)),
        (
            functions.rotatePayerAccount(1, "0x" + "00" * 20, "0x" + "00" * 20),
            "NoAccount",
            (),
        ),
        (functions.rotatePayerAccount(1, taken, taken), "AccountTaken", (taken,)),
    ]
    for function, error, arguments in cases:
        with expect_revert(chain.registry, f"Registry{error}", *arguments):
            chain.view(function, "registrar")


def test_a_removed_account_is_never_given_again(chain: Chain) -> None:
    functions = chain.registry.functions
    old, new = chain.accounts["hospital"], chain.accounts["hospital_spare"]
    chain.send(functions.rotateInstitutionAccount(1, old, new), "registrar")
    assert chain.view(functions.institutionOf(old)) == 0
    assert chain.view(functions.institutionOf(new)) == 1
    assert chain.view(functions.accountOf(old)) == (1, 1, False)
    for function in (
        functions.rotateInstitutionAccount(1, new, old),
        functions.rotateInstitutionAccount(2, "0x" + "00" * 20, old),
        functions.registerPayer(1, old),
    ):
        with expect_revert(chain.registry, "RegistryAccountTaken", old):
            chain.view(function, "registrar")
    with expect_revert(chain.registry, "RegistryAccountUnknown", old):
        chain.view(
            functions.rotateInstitutionAccount(1, old, chain.accounts["stranger"]), "registrar"
        )


def test_a_payer_may_have_several_accounts_of_one_number(chain: Chain) -> None:
    functions = chain.registry.functions
    spare = chain.accounts["basic_spare"]
    chain.send(functions.rotatePayerAccount(1, "0x" + "00" * 20, spare), "registrar")
    assert chain.view(functions.payerOf(spare)) == 1
    assert chain.view(functions.payerOf(chain.accounts["basic"])) == 1


@pytest.mark.slow
def test_the_65th_payer_is_refused_and_the_64th_works(chain: Chain) -> None:
    functions = chain.registry.functions
    for number in range(5, 65):
        account = "0x" + number.to_bytes(20, "big").hex()
        chain.send(functions.registerPayer(1, chain.web3.to_checksum_address(account)), "registrar")
    assert chain.view(functions.counts()) == [2, 64]
    context = chain.view(functions.callerContext(chain.accounts["basic"]))
    assert context[-1] == (2**64 - 1) & ~0b1100
    chain.send(functions.suspendPayer(64, True), "registrar")
    assert chain.view(functions.payer(64)) == (1, True)
    assert chain.view(functions.payer(63)) == (1, False)
    with expect_revert(chain.registry, "RegistryFull"):
        chain.view(functions.registerPayer(1, chain.accounts["stranger"]), "registrar")


def test_a_policy_is_published_once_and_stays(chain: Chain) -> None:
    functions = chain.registry.functions
    policy = digest("a policy")
    assert chain.view(functions.policy(policy)) == [0, 0]
    chain.send(functions.publishPolicy(policy, 123), "publisher")
    block = chain.tester.get_block_by_number("latest")
    assert chain.view(functions.policy(policy)) == [block["timestamp"], 123]
    for faulty in (policy, bytes(32)):
        with expect_revert(chain.registry, "RegistryPolicyInvalid", faulty):
            chain.view(functions.publishPolicy(faulty, 456), "publisher")


def test_pause_and_unpause_are_not_repeated(chain: Chain) -> None:
    functions = chain.registry.functions
    with expect_revert(chain.registry, "RegistryPauseUnchanged", False):
        chain.view(functions.unpause(), "pauser")
    chain.send(functions.pause(), "pauser")
    assert chain.view(functions.pauseState()) == [True, 0]
    with expect_revert(chain.registry, "RegistryPauseUnchanged", True):
        chain.view(functions.pause(), "pauser")
    chain.send(functions.unpause(), "pauser")
    paused, at = chain.view(functions.pauseState())
    assert (paused, at) == (False, chain.tester.get_block_by_number("latest")["timestamp"])


def test_administration_goes_on_while_intake_is_paused(chain: Chain) -> None:
    functions, accounts = chain.registry.functions, chain.accounts
    successor = chain.deploy_successor()
    chain.send(functions.pause(), "pauser")
    spare, other = accounts["hospital_spare"], accounts["basic_spare"]
    for function, role in (
        (functions.changeInstitutionTerms(1, *_terms(chain)), "registrar"),
        (functions.suspendInstitution(2, True), "registrar"),
        (functions.rotateInstitutionAccount(1, accounts["hospital"], spare), "registrar"),
        (functions.rotatePayerAccount(1, accounts["basic"], other), "registrar"),
        (functions.suspendPayer(2, True), "registrar"),
        (functions.registerPayer(2, accounts["stranger"]), "registrar"),
        (functions.quarantine(1, 1, 9, digest("reason")), "registrar"),
        (functions.lift(1, 1, 9), "registrar"),
        (functions.publishPolicy(digest("policy"), 0), "publisher"),
        (functions.retireLedger(successor.address), "admin"),
    ):
        chain.send(function, role)
    assert chain.view(functions.pauseState()) == [True, 0]


def test_a_pending_admin_or_a_stranger_does_not_take_over(chain: Chain) -> None:
    functions = chain.registry.functions
    new, stranger = chain.accounts["stranger"], chain.accounts["mutual"]
    with expect_revert(chain.registry, "AccessControlUnauthorizedAccount", stranger, bytes(32)):
        chain.view(functions.beginDefaultAdminTransfer(stranger), "mutual")
    chain.send(functions.beginDefaultAdminTransfer(new), "admin")
    chain.travel(chain.now() + ADMIN_DELAY + 1)
    chain.tester.mine_block()
    with expect_revert(chain.registry, "AccessControlInvalidDefaultAdmin", stranger):
        chain.view(functions.acceptDefaultAdminTransfer(), "mutual")
    chain.send(functions.cancelDefaultAdminTransfer(), "admin")
    with expect_revert(chain.registry, "AccessControlInvalidDefaultAdmin", new):
        chain.view(functions.acceptDefaultAdminTransfer(), "stranger")
    assert chain.view(functions.defaultAdmin()) == chain.accounts["admin"]


def test_terms_can_be_changed_and_the_code_cannot(chain: Chain) -> None:
    functions = chain.registry.functions
    chain.send(functions.changeInstitutionTerms(1, 5, 6, 7, 2), "registrar")
    assert chain.view(functions.institution(1)) == (CODE, 5, 6, 7, 2, False, 0)


def test_the_admin_changes_only_after_the_delay(chain: Chain) -> None:
    functions = chain.registry.functions
    new = chain.accounts["stranger"]
    chain.send(functions.beginDefaultAdminTransfer(new), "admin")
    schedule = chain.view(functions.pendingDefaultAdmin())[1]
    with expect_revert(chain.registry, "AccessControlEnforcedDefaultAdminDelay", schedule):
        chain.view(functions.acceptDefaultAdminTransfer(), "stranger")
    chain.travel(chain.now() + ADMIN_DELAY + 1)
    chain.send(functions.acceptDefaultAdminTransfer(), "stranger")
    assert chain.view(functions.defaultAdmin()) == new


def test_a_rotated_institution_keeps_its_sequence(chain: Chain, desk: Desk) -> None:
    desk.anchor(Bill("a"))
    rotate = chain.registry.functions.rotateInstitutionAccount(
        1, chain.accounts["hospital"], chain.accounts["hospital_spare"]
    )
    chain.send(rotate, "registrar")
    assert desk.anchor(Bill("b"), role="hospital_spare").sequence == 2
    with expect_revert(chain.ledger, "LedgerNotInstitution", chain.accounts["hospital"]):
        chain.view(desk.functions.anchor(3, digest("root"), 1, digest("head")), "hospital")
