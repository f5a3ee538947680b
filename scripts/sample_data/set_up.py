"""What the operator does before the first bill: payers, policies, institutions, people.

Every step leaves what is there already, so that an interrupted load can be started again. The
keys of the self-custody hospitals are made in their own folder, which stands for the hospital's
machine; the operator learns the account only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from eth_account import Account

from backend.adapters.database.payer_repository import Payer
from backend.adapters.ledger.agency import default_code, register_agency
from backend.adapters.ledger.network import Network
from backend.adapters.policy_packs import read_documents
from backend.bootstrap import Services
from backend.domain.journal import Fund, Layer
from backend.domain.person import INSURANCE_TYPES
from backend.service_layer.intake.records import Institution
from backend.service_layer.journal.deposits import deposit
from backend.service_layer.policies.publish import publish_packs
from scripts.sample_data.hospital_keys import (
    HospitalKeys,
    hospital_folder,
    make_keys,
    sample_folder,
    write_private,
)
from scripts.sample_data.hospitals import Hospital
from scripts.sample_data.insurer import equip_insurer
from scripts.sample_data.payees import account_list, register_payees
from scripts.sample_data.people import register_citizens
from scripts.sample_data.population import Population
from scripts.sample_data.staff import register_staff

PAYERS: Final = (
    (1, "basic", "示例市医疗保障经办中心（测试）"),
    (2, "basic", "示例省本级医疗保障中心（测试）"),
    (3, "commercial", "虚构商业健康保险（测试）"),
)
"""(number, class, name): the agency, a second basic insurer, a commercial one."""

SAMPLE_DEPOSIT_FEN: Final = {
    Layer.POOL: 50_000_000_00,
    Layer.SERIOUS_ILLNESS: 10_000_000_00,
    Layer.MEDICAL_AID: 5_000_000_00,
    Layer.CIVIL_SERVANT: 1_000_000_00,
}
"""What each layer of each fund of the sample system begins with."""

Say = Callable[[str], None]


def set_up(services: Services, population: Population, say: Say) -> dict[str, HospitalKeys]:
    """Everything up to the first upload; returns the hospitals' keys by institution code."""
    network = Network(services)
    say("支付方与政策 / payers and policies")
    _payers(services, network)
    _policies(services, network)
    say("基金拨入（模拟）/ simulated deposits of the funds")
    _funds(services)
    say(f"{len(population.hospitals)} 家医疗机构 / institutions")
    keys = {
        hospital.code: _institution(services, network, hospital)
        for hospital in population.hospitals
    }
    register_agency(
        services, network, default_code(services.settings.region), "示例市医疗保障经办中心（测试）"
    )
    say(f"{len(population.citizens)} 位参保人 / citizens")
    logins = register_citizens(services, population.citizens, population.as_of)
    register_payees(services, population.citizens, population.as_of)
    equip_insurer(services, network, population.as_of)
    logins += register_staff(services, population.hospitals[0].code)
    path = sample_folder(services) / "logins.json"
    write_private(path, json.dumps(logins, ensure_ascii=False, indent=1) + "\n")
    accounts = account_list(population.citizens, population.as_of)
    path = sample_folder(services) / "accounts.json"
    write_private(path, json.dumps(accounts, ensure_ascii=False, indent=1) + "\n")
    return keys


def _payers(services: Services, network: Network) -> None:
    for number, payer_class, name in PAYERS:
        with services.work(write=False) as work:
            if work.payers.find(number) is not None:
                continue
        done = network.register_payer(payer_class, number=number)
        assert done.number == number, "payers are registered in order"
        kind = "basic" if payer_class == "basic" else "non-basic"
        with services.work() as work:
            work.payers.add(Payer(number, name, kind, done.account))
            work.commit()
    own = services.settings.payer_number
    with services.work(write=False) as work:
        known = work.payers.accounts(own)
    if len(known) < 2:
        second = network.add_payer_account(own, known)
        with services.work() as work:
            work.payers.add_account(own, second)
            work.commit()


def _funds(services: Services) -> None:
    """Money that is not there, so that the sample system has something to pay from."""
    region = services.settings.region
    with services.work(write=False) as work:
        name = work.claims.payer_name(services.settings.payer_number)
    for insurance_type in INSURANCE_TYPES:
        for layer in Layer:
            deposit(
                services,
                Fund(region, insurance_type, region, name),
                layer,
                SAMPLE_DEPOSIT_FEN[layer],
                reference=f"SAMPLE-{region}-{insurance_type}-{layer}",
                by="sample",
                reason="示例系统的模拟拨款，不是真实资金 / a simulated deposit, no real money",
                is_simulated=True,
            )


def _policies(services: Services, network: Network) -> None:
    publish_packs(services, network, read_documents(None, services.settings.region))


def _institution(services: Services, network: Network, hospital: Hospital) -> HospitalKeys:
    folder = hospital_folder(services, hospital.code)
    keys = make_keys(folder, signs_itself=hospital.custody == "self")
    with services.work(write=False) as work:
        known = work.institutions.find(hospital.code)
        is_open = work.institutions.institution_of_key(keys.api_key) is not None
    if known is None:
        account = Account.from_key(keys.ledger_key).address if keys.ledger_key else None
        done = network.register_institution(
            hospital.code,
            agreement_from=hospital.agreement_from,
            agreement_until=hospital.agreement_until,
            grace_days=hospital.grace_days,
            custody=hospital.custody,
            account=account,
        )
        with services.work() as work:
            work.institutions.add(
                Institution(
                    code=hospital.code,
                    name=hospital.name,
                    level=hospital.level,
                    area_code=hospital.area_code,
                    custody=hospital.custody,
                    agreement_from=hospital.agreement_from,
                    agreement_until=hospital.agreement_until,
                    grace_days=hospital.grace_days,
                    ledger_number=done.number,
                    ledger_account=done.account,
                    created_at=services.clock.now(),
                )
            )
            work.commit()
    if not is_open:
        with services.work() as work:
            work.institutions.add_key(services.ids.new_id("key"), hospital.code, keys.api_key)
            work.commit()
    return keys
