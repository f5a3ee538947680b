"""``yichu contracts``: deploy the contracts and set up the network's roles."""

from __future__ import annotations

import datetime as dt
import sys

import click

from backend.bootstrap import Services, build_services
from backend.entrypoints.cli import contracts_doctor
from backend.service_layer.anchoring.model import Deployment

EXIT_FOREIGN_CONTRACTS = 4


@click.group()
def command() -> None:
    """Deploy the contracts and set up the network's roles."""


@command.command()
def deploy() -> None:
    """Deploy both contracts once, and write deployment.json and the trust files.

    Running it again changes nothing, but says when a published policy pack is installed with
    another content. Exit status 4: the ledger holds older contracts, or belongs to another
    database; set one of the two aside.
    """
    from backend.adapters.ledger.deployment import Deployer, ForeignContractsError, write_files
    from backend.adapters.ledger.finality import confirmations
    from backend.adapters.ledger.rpc import JSONRPC
    from backend.settings import SettingsError

    services = build_services()
    rpc = JSONRPC(services.settings.rpc_urls)
    deployer = Deployer(rpc, services.keystores, services.ledger.fees_of(rpc))
    with services.work(write=False) as work:
        known = work.chain.deployment()
    try:
        if known is not None:
            deployer.check(known)
            _require_published_packs(services)
            click.echo(f"合约已部署 / the contracts are deployed: {known.invoice_ledger}")
            return
        found, blocks = deployer.deploy()
    except ForeignContractsError as error:
        click.echo(f"{error.zh}\n{error.en}\n[{error.code}]", err=True)
        sys.exit(EXIT_FOREIGN_CONTRACTS)
    _store(services, found)
    try:
        network_key: bytes | None = services.network_key
    except SettingsError:
        network_key = None
    settings = services.settings
    counted = confirmations(settings.finality, rpc)
    trust = write_files(settings, found, blocks, network_key, counted)
    click.echo(f"合约已部署 / deployed: registry {found.registry}")
    click.echo(f"  invoice ledger {found.invoice_ledger}, block {found.block_number}")
    click.echo(f"  信任文件 / trust file: {trust}")
    if network_key is not None:
        click.echo(
            "  含网络密钥的在旁边，须保密 / the one with the network key, beside it, is secret"
        )


def _require_published_packs(services: Services) -> None:
    """What was published under a pack's name is still what is installed: else every decision by
    the installed one would be refused by the ledger, one claim at a time."""
    from backend.adapters.policy_packs import read_documents
    from backend.service_layer.policies.publish import require_unedited

    require_unedited(services, read_documents(None, services.settings.region))


def _store(services: Services, found: Deployment) -> None:
    with services.work() as work:
        if work.chain.deployment() is None:
            work.chain.set_deployment(found)
            work.commit()


_DATE = click.DateTime(["%Y-%m-%d"])


@command.command("register-institution")
@click.argument("code")
@click.option("--from", "agreement_from", type=_DATE, required=True, help="First day.")
@click.option("--until", "agreement_until", type=_DATE, required=True, help="Last day.")
@click.option("--grace-days", type=click.IntRange(0, 3650), default=30, show_default=True)
@click.option("--custodial", is_flag=True, help="We hold its key; every verdict will say so.")
@click.option("--account", help="The institution's own account (self-custody).")
def register_institution(  # noqa: PLR0917 - click passes options by name
    code: str,
    agreement_from: dt.datetime,
    agreement_until: dt.datetime,
    grace_days: int,
    custodial: bool,
    account: str | None,
) -> None:
    """Register an institution on the ledger (see also: yichu hospital register)."""
    from backend.adapters.ledger.network import Network

    done = Network(build_services()).register_institution(
        code,
        agreement_from=agreement_from.date(),
        agreement_until=agreement_until.date(),
        grace_days=grace_days,
        custody="custodial" if custodial else "self",
        account=account,
    )
    click.echo(f"{code}: {done.number} {done.account}")


@command.command("register-payer")
@click.option(
    "--class",
    "payer_class",
    type=click.Choice(["basic", "commercial", "other"]),
    required=True,
    help="At most one basic payer settles a bill.",
)
@click.option("--name", required=True)
@click.option("--account", help="Its own account; without one a keystore is made here.")
def register_payer(payer_class: str, name: str, account: str | None) -> None:
    """Register the next payer on the ledger and in the database."""
    from backend.adapters.database.payer_repository import Payer
    from backend.adapters.ledger.network import Network

    services = build_services()
    done = Network(services).register_payer(payer_class, account=account)
    kind = "basic" if payer_class == "basic" else "non-basic"
    with services.work() as work:
        work.payers.add(Payer(done.number, name, kind, done.account))
        work.commit()
    click.echo(f"{name}: {done.number} {done.account}")


@command.command("add-payer-account")
@click.option("--payer", "number", type=click.IntRange(1, 64), required=True, help="Its number.")
def add_payer_account(number: int) -> None:
    """Give a payer a further sending account, with a keystore that is made here.

    Claims are spread over a payer's accounts, so that one that stands still holds up no others.
    """
    from backend.adapters.ledger.network import Network
    from backend.domain.errors import NotFoundError

    services = build_services()
    with services.work(write=False) as work:
        if work.payers.find(number) is None:
            raise NotFoundError(
                f"没有 {number} 号支付方：请先运行 yichu contracts register-payer",
                f"there is no payer {number}: run yichu contracts register-payer first",
            )
        known = work.payers.accounts(number)
    account = Network(services).add_payer_account(number, known)
    with services.work() as work:
        work.payers.add_account(number, account)
        work.commit()
    click.echo(f"{number}: {account}")


@command.command("publish-policy")
def publish_policy() -> None:
    """Publish every installed policy pack of the region, as ``yichu policy publish`` does."""
    from backend.entrypoints.cli.policy import publish_paths

    publish_paths(build_services())


@command.command()
def pause() -> None:
    """Stop intake: anchor, supersede, lodge, expire. Settling and reading go on."""
    from backend.adapters.ledger.network import Network

    Network(build_services()).set_paused(True)


@command.command()
def unpause() -> None:
    """Open intake again."""
    from backend.adapters.ledger.network import Network

    Network(build_services()).set_paused(False)


command.add_command(contracts_doctor.command, "doctor")
