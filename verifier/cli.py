"""``yichu-verify``: one bundle, one trust file, one verdict (SPEC.md C4)."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from verifier import bundle as bundles
from verifier import report as reports
from verifier import trust as trusts
from verifier.errors import MalformedError
from verifier.rpc import HTTPTransport
from verifier.verifier import Verdict, verify_bundle

_DESCRIPTION: Final = """\
核验一份报销证据包，不依赖任何一方的系统。
Verify the evidence bundle of one claim without trusting anybody's system.
"""

_EPILOG: Final = """\
exit status: 0 verified, 1 refuted, 2 malformed input or wrong usage, 3 undecided.
退出码：0 通过，1 不通过，2 输入无法读取或用法有误，3 尚不能判定。
"""


_FAILED: Final = (
    "核验程序出错，未作判定；加 --debug 可看详情 / the verifier failed; nothing was decided; "
    "--debug tells more"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except MalformedError as error:
        if options.json:
            print(reports.render_malformed_json(str(error)), end="")
        else:
            print(f"无法读取 / MALFORMED: {error}", file=sys.stderr)
        return int(Verdict.MALFORMED)
    except Exception:  # noqa: BLE001 (the last handler: an unexpected error is never a success)
        if options.debug:
            traceback.print_exc()
        print(_FAILED, file=sys.stderr)
        return int(Verdict.UNDECIDED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yichu-verify",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="evidence bundle (JSON)")
    parser.add_argument(
        "--trust", metavar="TRUST.json", type=Path, required=True, help="your own trust file"
    )
    parser.add_argument("--rpc", metavar="URL", help="JSON-RPC address of a ledger node")
    parser.add_argument(
        "--believe-node",
        action="store_true",
        help="take the node's word for what is on the ledger; the verdict says so",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--debug", action="store_true", help="print the traceback when the verifier itself fails"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.believe_node and options.rpc is None:
        raise MalformedError("--believe-node needs the node's address: --rpc URL")
    trust = trusts.parse_trust(_read(options.trust, trusts.MAX_BYTES, "trust file"))
    bundle = bundles.parse_bundle(_read(options.bundle, bundles.MAX_BYTES, "bundle"))
    transport = HTTPTransport(options.rpc) if options.rpc is not None else None
    report = verify_bundle(bundle, trust, transport if options.believe_node else None)
    render = reports.render_json if options.json else reports.render_text
    print(render(report), end="")
    return int(report.verdict)


def _read(path: Path, limit: int, name: str) -> bytes:
    """The file's bytes, at most one more than the limit, which the parser then refuses."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise MalformedError(f"the {name} cannot be opened: {error.strerror}") from error


if __name__ == "__main__":  # python -m verifier.cli must never end as success without a check
    sys.exit(main())
