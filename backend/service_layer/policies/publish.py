"""Publishing packs: what is published under a name is never another text.

A pack's hash follows from its bytes, the ledger takes a hash once, and the row of a published pack
is only ever inserted. What remained open is a name: an edited file under the old ``pack_id`` would
be a second, different pack of the same name. It is refused here, before anything is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.errors import ConflictError
from backend.domain.policy import PolicyPack
from backend.service_layer.policies.pack_document import PackDocument
from backend.service_layer.policies.ports import Publisher, PublishServices


class PolicyEditedError(ConflictError):
    """A pack of this name was published with another content."""

    code = "policy-edited"


@dataclass(frozen=True, slots=True)
class Published:
    """``is_new`` says whether this call put the pack on the ledger."""

    pack_id: str
    policy_hash: bytes
    is_new: bool


def publish_packs(
    deps: PublishServices, publisher: Publisher, packs: Sequence[PackDocument]
) -> list[Published]:
    """Keep each pack's text for auditors and put its hash on the ledger; repeating is harmless.

    Raises :class:`PolicyEditedError`, with nothing kept or sent, when a pack has the name of
    another published text, or two of ``packs`` share a name.
    """
    _refuse_shared_names(packs)
    with deps.work() as work:
        for entry in packs:
            _refuse_edited(entry.pack, work.decisions.policy_hashes(entry.pack.pack_id))
            work.decisions.add_policy(
                entry.pack.policy_hash,
                entry.pack.pack_id,
                entry.pack.effective_from,
                entry.document.decode(),
                deps.clock.now(),
            )
        work.commit()
    return [
        Published(
            entry.pack.pack_id,
            entry.pack.policy_hash,
            publisher.publish_policy(entry.pack.policy_hash, entry.pack.effective_from),
        )
        for entry in packs
    ]


def require_unedited(deps: PublishServices, packs: Sequence[PackDocument]) -> None:
    """Raises :class:`PolicyEditedError` when one of ``packs`` has the name of another published
    text; nothing is kept or sent."""
    with deps.work(write=False) as work:
        for entry in packs:
            _refuse_edited(entry.pack, work.decisions.policy_hashes(entry.pack.pack_id))


def _refuse_shared_names(packs: Sequence[PackDocument]) -> None:
    for entry in packs:
        if hashlib.sha256(entry.document).digest() != entry.pack.policy_hash:
            raise PolicyEditedError(
                f"政策包 {entry.pack.pack_id} 的文件在读取时被改动，没有公布。",
                f"The file of {entry.pack.pack_id} was changed while it was read; not published.",
            )
    hashes = {entry.pack.pack_id: entry.pack.policy_hash for entry in packs}
    for entry in packs:
        _refuse_edited(entry.pack, [hashes[entry.pack.pack_id]])


def _refuse_edited(pack: PolicyPack, known: Sequence[bytes]) -> None:
    for policy_hash in known:
        if policy_hash != pack.policy_hash:
            raise PolicyEditedError(
                f"政策包 {pack.pack_id} 已经公布过，内容不同（已公布 {policy_hash.hex()}，"
                f"现在 {pack.policy_hash.hex()}）。公布后不能修改：请换新的 pack_id 和生效日期，"
                "或装回公布过的文件（yichu policy list 列出已公布的）。示例系统：停下后运行 "
                "yichu up --fresh，旧的开发链和数据库移到一边、不删除，再用现在的政策重新载入。",
                f"Policy pack {pack.pack_id} was published with another content (published "
                f"{policy_hash.hex()}, now {pack.policy_hash.hex()}). A published pack is never "
                "edited: give the change a new pack_id and date, or install the published file "
                "again (`yichu policy list` shows what was published). A sample system: stop it "
                "and run `yichu up --fresh`; the old ledger and database are set aside, not "
                "deleted, and the sample is loaded anew under the present policy.",
            )
