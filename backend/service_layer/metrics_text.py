"""The readiness report in Prometheus' text format (version 0.0.4).

What is counted by state, account or alarm code becomes a label, so that a rule of an alert need not
know the codes. Texts of the report are for people and have no metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Parts of the report whose keys are values of a label.
_LABELS: Final[Mapping[str, str]] = {
    "backlog": "state",
    "oldest_seconds": "state",
    "pending_by_account": "account",
    "alarms": "code",
}
_HELP: Final[Mapping[str, str]] = {
    "yichu_ready": "1 when requests can be served",
    "yichu_database_up": "1 when the database answers",
    "yichu_ledger_up": "1 when a ledger node of the right network answers",
    "yichu_ledger_head": "number of the newest block",
    "yichu_ledger_final": "number of the newest final block",
    "yichu_anchoring_backlog": "intents that are not final",
    "yichu_anchoring_oldest_seconds": "age of the oldest intent that is not final",
    "yichu_anchoring_oldest_unsent_seconds": "age of the oldest intent that no transaction carries",
    "yichu_anchoring_pending_nonces": "transactions that are signed and not mined",
    "yichu_anchoring_pending_by_account": "transactions that are signed and not mined",
    "yichu_anchoring_last_block": "number of the last followed block",
    "yichu_anchoring_last_block_age_seconds": "age of the last followed block",
    "yichu_anchoring_alarms": "open alarms",
    "yichu_review_open": "review cases that a person has to decide",
    "yichu_review_waiting": "review cases that wait for the citizen's material",
    "yichu_review_late": "review cases past the promised day",
    "yichu_review_unassigned": "review steps that nobody holds",
}


def to_prometheus(report: Mapping[str, Any]) -> str:
    """The figures of a readiness report, one line each, with a help line for each name."""
    figures = dict(report)
    figures["database_up"] = report.get("database") == "ok"
    figures["ledger_up"] = isinstance(report.get("ledger"), Mapping)
    lines: list[str] = []
    last = ""
    for name, labels, value in _figures("yichu", figures):
        if name != last:
            if name in _HELP:
                lines.append(f"# HELP {name} {_HELP[name]}")
            lines.append(f"# TYPE {name} gauge")
            last = name
        lines.append(f"{name}{labels} {value:g}")
    return "\n".join(lines) + "\n"


def _figures(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for key, part in value.items():
        name = f"{prefix}_{key}".replace("-", "_")
        if isinstance(part, Mapping) and key in _LABELS:
            for label, figure in sorted(part.items()):
                yield name, f'{{{_LABELS[key]}="{_escaped(str(label))}"}}', float(figure)
        elif isinstance(part, Mapping):
            yield from _figures(name, part)
        elif isinstance(part, bool | int | float):
            yield name, "", float(part)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
