"""The report of a verification: a line a check, then the verdict (SPEC.md C4)."""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

from verifier.verifier import Report, Status, Verdict

#: Verdict -> words in Chinese and English. The order of words is that of the status page.
_VERDICTS: Final = {
    Verdict.VERIFIED: ("核验通过", "VERIFIED"),
    Verdict.REFUTED: ("核验不通过：证据与事实矛盾", "REFUTED"),
    Verdict.MALFORMED: ("无法读取", "MALFORMED"),
    Verdict.UNDECIDED: ("尚不能判定", "UNDECIDED"),
}
_MARKS: Final = {
    Status.OK: "通过 OK",
    Status.FAIL: "不符 FAIL",
    Status.UNDECIDED: "未定 UNDECIDED",
    Status.NOT_CHECKED: "未查 NOT CHECKED",
}
_CUSTODY: Final = {
    "self-custody": ("由机构自持密钥盖戳", "anchored with a key held by the institution"),
    "custodial": ("由运营方代管密钥盖戳", "anchored with a key held by the operator"),
}
_BELIEVED: Final = (
    "链上事实取自您指定并信任的节点",
    "the node was believed",
)
_NOT_BELIEVED: Final = (
    "未信任任何节点，链上事实未定；请用 --rpc URL --believe-node 指定您信任的节点",
    "no node was believed, so what the ledger says is undecided; "
    "name a node that you trust with --rpc URL --believe-node",
)


def render_text(report: Report) -> str:
    """Return the report for a person, Chinese first."""
    lines = []
    for result in report.results:
        check = result.check
        reason = f": {result.reason}" if result.reason else ""
        lines.append(
            f"{check.number:>2}  {_MARKS[result.status]}  {check.name_zh} {check.name_en}{reason}"
        )
    zh, en = _VERDICTS[report.verdict]
    lines += ["", f"{zh} / {en}"]
    lines += [f"  {note_zh} / {note_en}" for note_zh, note_en in _remarks(report)]
    return "\n".join(lines) + "\n"


def render_json(report: Report) -> str:
    """Return the report as one JSON object (SPEC.md C4)."""
    block = report.as_of_block
    document = {
        "verdict": report.verdict.name.lower(),
        "exit_status": int(report.verdict),
        "node_believed": report.node_believed,
        "custody": report.custody,
        "as_of_block": None
        if block is None
        else {"number": block.number, "hash": block.block_hash.hex(), "time": block.timestamp},
        "notes": [{"zh": zh, "en": en} for zh, en in _remarks(report)],
        "checks": [
            {
                "number": result.check.number,
                "status": result.status.value,
                "name_zh": result.check.name_zh,
                "name_en": result.check.name_en,
                "reason": result.reason,
            }
            for result in report.results
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def render_malformed_json(reason: str) -> str:
    """Return the JSON object for input that cannot be read."""
    document = {
        "verdict": Verdict.MALFORMED.name.lower(),
        "exit_status": int(Verdict.MALFORMED),
        "reason": reason,
        "checks": [],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _remarks(report: Report) -> list[tuple[str, str]]:
    custody_zh, custody_en = _CUSTODY[report.custody]
    if not report.is_custody_shown:
        custody_zh += "（证据包自述，未经账本核实）"
        custody_en += " (so the bundle says; the ledger has not shown it)"
    remarks = [
        _BELIEVED if report.node_believed else _NOT_BELIEVED,
        (custody_zh, custody_en),
    ]
    block = report.as_of_block
    if block is not None:
        time = _time(block.timestamp)
        remarks.append((f"截至区块 {block.number}，{time}", f"as of block {block.number}, {time}"))
    remarks += report.notes
    remarks += [
        (
            f"第 {result.check.number} 项未查：{result.check.name_zh}",
            f"check {result.check.number} was not made: {result.check.name_en}",
        )
        for result in report.results
        if result.status is Status.NOT_CHECKED
    ]
    return remarks


def _time(timestamp: int) -> str:
    try:
        instant = dt.datetime.fromtimestamp(timestamp, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return f"{timestamp} s"
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")
