"""``yichu sample``: samples of machine approvals for post-audit, with a draw anybody can repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from backend.adapters.ledger.rpc import JSONRPC
    from backend.domain.draw_proof import AnnouncementAnchor, ProvedDraw
    from backend.domain.sampling import Announcement

_FILE_BYTES_MAX: Final = 16 * 2**20
_NAMES: Final = {None: "在查 open", "confirmed": "属实 confirmed", "finding": "有问题 finding"}


@click.group()
def command() -> None:
    """Samples for post-audit: announce, draw, publish, verify."""


@command.command("list")
def list_command() -> None:
    """List announcements, their blocks and what people found."""
    from backend.bootstrap import build_services
    from backend.service_layer.supervision.announcement_anchor import anchor_of

    services = build_services()
    with services.work(write=False) as work:
        entries, counts = work.samples.all(), work.samples.counts()
        anchors = {stored.id: anchor_of(work, stored) for stored, _ in entries}
    for stored, drawn in entries:
        one = stored.announcement
        state = "已抽取 drawn" if drawn else _waits_for(one, anchors[stored.id])
        click.echo(
            f"第 {one.sequence} 期  至 {one.period_until}  {one.population_size} 笔"
            f"  比例 {one.share_bp / 100:g}%  {state}"
        )
    found = "，".join(f"{_NAMES[None if key == 'open' else key]} {n}" for key, n in counts.items())
    click.echo(f"事后抽查：{found or '还没有 / none yet'}")


def _waits_for(announcement: Announcement, anchor: AnnouncementAnchor | None) -> str:
    from backend.domain.draw_proof import seed_block

    if anchor is None:
        return "等公告上链 waits for the ledger"
    return f"等区块 {seed_block(announcement, anchor.block_number)} waits for its block"


@command.command("show")
@click.argument("sequence", type=click.IntRange(1))
def show_command(sequence: int) -> None:
    """Show the members of a sample with their review cases."""
    from backend.bootstrap import build_services
    from backend.domain.errors import NotFoundError

    services = build_services()
    with services.work(write=False) as work:
        stored = work.samples.by_sequence(sequence)
        if stored is None:
            raise NotFoundError(f"没有第 {sequence} 期抽查", f"there is no sample {sequence}")
        audits = work.samples.audits(stored.id)
    click.echo(f"公告摘要 {stored.digest.hex()}")
    for audit in audits:
        bases = ",".join(audit.bases)
        click.echo(f"{audit.claim_number}  {bases}  {audit.case_id}  {_NAMES[audit.outcome]}")
    if not audits:
        click.echo("还没有抽查案件 / no cases yet")


@command.command("announce")
@click.option("--by", required=True, help="谁公告 / who announces.")
def announce_command(by: str) -> None:
    """Close the population now and name a future block."""
    from backend.bootstrap import build_services
    from backend.service_layer.supervision.sampling import announce

    stored = announce(build_services(), by=by)
    if stored is None:
        click.echo("没有待抽查的机器审核结果 / nothing to sample")
        return
    one = stored.announcement
    click.echo(
        f"第 {one.sequence} 期已公告：{one.population_size} 笔，区块 {one.block_number}\n"
        f"公告摘要 {stored.digest.hex()}\n"
        "值守进程会把摘要写上账本 / the worker puts the digest on the ledger"
    )


@command.command("announcement")
@click.argument("sequence", type=click.IntRange(1))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
def announcement_command(sequence: int, output: Path | None) -> None:
    """Write what is public of a sample: announcement, population, and the draw once made."""
    from backend.bootstrap import build_services
    from backend.service_layer.supervision.sampling import published

    text = json.dumps(published(build_services(), sequence), ensure_ascii=False, indent=1)
    if output is None:
        click.echo(text)
        return
    output.write_text(text + "\n", encoding="utf-8")
    click.echo(f"已写入 {output} / written")


@command.command("draw")
@click.argument("sequence", type=click.IntRange(1))
def draw_command(sequence: int) -> None:
    """Draw now; refused before the announcement is on the ledger and the block final, and twice."""
    from backend.bootstrap import build_services
    from backend.service_layer.supervision.sampling import draw
    from backend.service_layer.supervision.sampling_audit import open_cases

    services = build_services()
    drawn = draw(services, sequence)
    opened = open_cases(services)
    click.echo(
        f"已抽取：区块 {drawn.block_number} {drawn.block_hash.hex()}，新开案件 {opened} / drawn"
    )


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rpc", "url", help="任一账本节点 / any ledger node; without it no block is asked.")
@click.option("--digest", help="公告时得到的摘要 / the digest that was handed out before.")
@click.option("--contract", help="信任的账本合约地址 / the ledger contract that you trust, 0x...")
def verify_command(file: Path, url: str | None, digest: str | None, contract: str | None) -> None:
    """Repeat a published draw; needs neither database nor settings. Exit status 1: it differs."""
    from backend.domain.draw_proof import verify_draw
    from backend.domain.sampling import SamplingError

    proved = verify_draw(_read(file))
    announcement, anchor = proved.announcement, proved.anchor
    if digest is not None and digest.strip().lower() != announcement.digest.hex():
        raise SamplingError(
            "公告摘要与事先得到的不同", "the announcement is not the one with that digest"
        )
    if (
        contract is not None
        and contract.strip().lower().removeprefix("0x") != anchor.contract.hex()
    ):
        raise SamplingError("不是您信任的账本合约", "the anchor is in another contract")
    click.echo(
        f"名单、种子和抽取结果一致：{announcement.population_size} 笔，"
        f"比例 {announcement.share_bp / 100:g}%\n"
        f"公告摘要 {announcement.digest.hex()}\n"
        "population, seed and members are what the rule gives"
    )
    if url is None:
        click.echo("区块哈希没有核对（请加 --rpc）/ the block hash was not checked: give --rpc")
        return
    from backend.adapters.ledger.rpc import JSONRPC

    rpc = JSONRPC([url])
    try:
        above = verify_blocks(rpc, proved)
    finally:
        rpc.close()
    click.echo(
        f"公告摘要在区块 {anchor.block_number} 已上链（合约 0x{anchor.contract.hex()}）\n"
        f"the announcement was on the ledger in block {anchor.block_number}\n"
        f"区块 {proved.block_number} 的哈希与账本一致，其后已有 {above} 个区块\n"
        f"the block's hash is the ledger's; {above} blocks follow it"
    )


def _read(file: Path) -> Any:
    from backend.domain.sampling import SamplingError

    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise SamplingError("文件太大", "the file is too large (16 MiB at most)")
        return json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SamplingError("不是抽查文件", "the file is no JSON text") from error


def verify_blocks(rpc: JSONRPC, proved: ProvedDraw) -> int:
    """How many blocks follow the one of the seed, after network, blocks and the anchor were
    compared with the node. Raises ``SamplingError`` naming the difference."""
    from backend.domain.sampling import SamplingError

    announcement, anchor = proved.announcement, proved.anchor
    wanted = (announcement.final_number, anchor.block_number, proved.block_number)
    chain_id, head, receipt, genesis, known, anchored, named = rpc.batch(
        [
            ("eth_chainId", []),
            ("eth_blockNumber", []),
            ("eth_getTransactionReceipt", ["0x" + anchor.tx_hash.hex()]),
            *[("eth_getBlockByNumber", [hex(n), False]) for n in (0, *wanted)],
        ]
    )
    if known is None or named is None or genesis is None:
        raise SamplingError("节点没有公告里的区块", "the node does not have the blocks named")
    network = (announcement.chain_id, announcement.genesis_hash)
    if (int(chain_id, 16), _hash(genesis)) != network:
        raise SamplingError("节点属于另一个网络", "the node is on another network")
    if _hash(known) != announcement.final_hash:
        raise SamplingError(
            "公告时已知的区块与账本不符", "the block known at the announcement is another one"
        )
    if anchored is None or not _holds_anchor(receipt, anchored, anchor):
        raise SamplingError(
            "账本上所指的交易没有写入公告摘要",
            "the transaction named did not put the announcement on the ledger in that block",
        )
    if _hash(named) != proved.block_hash:
        raise SamplingError(
            "抽取用的区块哈希与账本不符", "the block hash of the draw is not the ledger's"
        )
    return int(head, 16) - proved.block_number


def _holds_anchor(receipt: Any, block: Any, anchor: AnnouncementAnchor) -> bool:
    """Whether the receipt is in that block and has the event that stored the batch's head."""
    from backend.adapters.ledger.codec import event_topic

    if not isinstance(receipt, dict) or receipt.get("status") != "0x1":
        return False
    place = (int(str(receipt["blockNumber"]), 16), str(receipt["blockHash"]))
    if place != (anchor.block_number, block["hash"]) or _hash(block) != anchor.block_hash:
        return False
    numbers = [anchor.institution_number, anchor.sequence]
    topics = [event_topic("InvoiceLedger", "Anchored"), *(n.to_bytes(32, "big") for n in numbers)]
    data = anchor.root + anchor.previous_head + anchor.head + anchor.size.to_bytes(32, "big")
    return any(
        str(log["address"]).lower() == "0x" + anchor.contract.hex()
        and [_bytes(topic) for topic in log["topics"][:3]] == topics
        and _bytes(log["data"]) == data
        for log in receipt["logs"]
    )


def _hash(block: Any) -> bytes:
    return _bytes(block["hash"])


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))
