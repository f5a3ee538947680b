"""The invented insurer of the sample: an API key in a private file, terms published on the ledger.

``var/sample/insurer.json`` (mode 0600) holds its number, name, key and the hash of its terms, which
lie beside it; the folder stands for the insurer's machine.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from typing import Final

from backend.adapters.ledger.network import Network
from backend.bootstrap import Services
from scripts.sample_data.hospital_keys import sample_folder, write_private

INSURER: Final = 3
TERMS: Final = """虚构商业健康保险（测试）理赔条款 / terms of an invented insurer

一、基本医保核定以后，个人承担的部分按 80% 赔付，四舍五入到分。
1. After basic insurance has decided, 80 % of what the person bears is paid, rounded to the fen.
"""


def equip_insurer(services: Services, network: Network, as_of: dt.date) -> None:
    """Publish the terms and make the key; what is there already is left as it is."""
    folder = sample_folder(services)
    digest = hashlib.sha256(TERMS.encode()).digest()
    network.publish_policy(digest, as_of.replace(month=1, day=1))
    write_private(folder / "insurer-terms.txt", TERMS)
    path = folder / "insurer.json"
    if path.is_file():
        key = str(json.loads(path.read_text("utf-8"))["api_key"])
    else:
        key = f"yi_{secrets.token_urlsafe(32)}"
        with services.work(write=False) as work:
            name = work.claims.payer_name(INSURER)
        facts = {"payer": INSURER, "name": name, "api_key": key, "policy_hash": digest.hex()}
        write_private(path, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    with services.work() as work:
        if work.second_payers.payer_of_key(key) is None:
            work.second_payers.add_key(services.ids.new_id("key"), INSURER, key)
            work.commit()
