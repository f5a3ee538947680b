"""``python -m scripts.sample_data``: make the sample, count it, or feed it to a running system."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from backend.adapters.catalogue import load_catalogue
from backend.adapters.policy_packs import load_packs
from backend.domain.errors import DomainError
from scripts.hospital_agent import AgentError
from scripts.sample_data.documents import bill_bytes
from scripts.sample_data.new_bill import new_bill
from scripts.sample_data.population import (
    DEFAULT_SEED,
    SAMPLE_BILLS,
    Population,
    quzhou_population,
    sample_population,
)

REGION = "330800"
_SEED = click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True)
_AS_OF = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day from which all dates count back.  [today, or the policy's last day]",
)
_FULL = click.option("--full", is_flag=True, help="Quzhou's 15,605 bills of 132 institutions.")
_BULK = click.option("--bulk", type=click.IntRange(0), default=SAMPLE_BILLS, show_default=True)


def default_as_of(today: dt.date) -> dt.date:
    """Today, or the last day of Quzhou's newest pack: bills after it could not be decided."""
    last = max(pack.effective_to for pack in load_packs() if pack.region == REGION)
    return min(today, last)


def make_population(seed: int, as_of: dt.datetime | None, full: bool, bulk: int) -> Population:
    day = as_of.date() if as_of else default_as_of(dt.datetime.now(dt.UTC).date())
    catalogue = load_catalogue()
    if full:
        return quzhou_population(seed, day, catalogue)
    return sample_population(seed, day, catalogue, bulk)


@click.group()
def cli() -> None:
    """Invented hospitals, citizens and bills."""


@cli.command()
@_SEED
@_AS_OF
@_FULL
@_BULK
def figures(seed: int, as_of: dt.datetime | None, full: bool, bulk: int) -> None:
    """Make every bill and count, without sending anything."""
    population = make_population(seed, as_of, full, bulk)
    bills = lines = fen = longest = 0
    for bill in population.bills():
        bills += 1
        lines += len(bill.invoice.lines)
        fen += bill.invoice.total_fen
        longest = max(longest, len(bill.invoice.lines))
    click.echo(
        f"{len(population.hospitals)} institutions, {bills} bills, {lines} lines, "
        f"longest {longest}, {fen / 100:,.2f} yuan, as of {population.as_of}"
    )


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_SEED
@_AS_OF
@_FULL
@_BULK
def write(folder: Path, seed: int, as_of: dt.datetime | None, full: bool, bulk: int) -> None:
    """Write the bills as files, one folder an institution."""
    population = make_population(seed, as_of, full, bulk)
    count = 0
    for bill in (*population.demo(), *population.payments(), *population.bills()):
        place = folder / bill.hospital.code
        place.mkdir(parents=True, exist_ok=True)
        invoice = bill.invoice
        name = f"{invoice.invoice_code}-{invoice.invoice_number}.{bill.wire}"
        (place / name).write_bytes(bill_bytes(bill))
        count += 1
    click.echo(f"{count} bills in {folder}")


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--hospital", default="H33080200001", show_default=True, help="Institution code.")
@click.option("--citizen", default="citizen03", show_default=True, help="Whose bill: a login.")
@_SEED
@_AS_OF
def bill(file: Path, hospital: str, citizen: str, seed: int, as_of: dt.datetime | None) -> None:
    """Write one new bill, which nobody has uploaded, as FILE.xml or FILE.json."""
    population = make_population(seed, as_of, full=False, bulk=0)
    issuer = next((one for one in population.hospitals if one.code == hospital), None)
    patient = next((one for one in population.citizens if one.username == citizen), None)
    if issuer is None or patient is None or file.suffix not in (".xml", ".json"):
        raise click.UsageError("没有这家医院或参保人 / no such hospital, citizen, or type")
    made = new_bill(population, issuer, patient, file.suffix.removeprefix("."))
    file.write_bytes(bill_bytes(made))
    click.echo(
        f"{made.invoice.invoice_code} {made.invoice.invoice_number}，"
        f"{made.invoice.total_fen / 100:,.2f} 元 / yuan -> {file}"
    )


@cli.command()
@click.option("--base-url", default="http://127.0.0.1:8000", show_default=True)
@_SEED
@_AS_OF
@_FULL
@_BULK
def load(base_url: str, seed: int, as_of: dt.datetime | None, full: bool, bulk: int) -> None:
    """Set up the network and feed the sample to a running system; may be repeated."""
    from backend.bootstrap import build_services
    from scripts.sample_data.load import Loader

    population = make_population(seed, as_of, full, bulk)
    services = build_services()
    Loader(services, population, base_url, lambda text: click.echo(f"  {text}")).run()
    (services.settings.var_dir / "sample.done").touch()


def main() -> None:
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("已取消 / cancelled", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DomainError as error:
        click.echo(f"{error.zh}\n{error.en}\n[{error.code}]", err=True)
        sys.exit(1)
    except AgentError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"文件无法读写 / a file cannot be read or written: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
