"""What a script does with ganache-cli through web3.py; prints what must be the same everywhere.

python ganache_client.py http://127.0.0.1:8545 keys.json 0x<private key>
"""

import json
import sys
import time
from pathlib import Path

from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception

w3 = Web3(HTTPProvider(sys.argv[1], request_kwargs={"timeout": 30}))
keys = json.loads(Path(sys.argv[2]).read_text())
#: Init code that stores 7 in slot 0 and returns one byte of code.
CODE = "0x6007600055600160005360016000f3"


def moved(before: int) -> int:
    """Seconds by which the chain's clock is ahead, less ``before``, to the nearest ten."""
    ahead = w3.eth.get_block("latest")["timestamp"] - int(time.time()) - before
    return round(ahead / 10) * 10


print("chain", w3.eth.chain_id, "network", w3.net.version, "gas price", w3.eth.gas_price)
accounts = w3.eth.accounts
print("accounts", [(who, w3.eth.get_balance(who)) for who in accounts])
print("key file", keys["addresses"], keys["private_keys"])
print("gas limit", w3.eth.get_block("latest")["gasLimit"])

# An unlocked account signs in the node, and a script signs with a key itself.
sent = w3.eth.send_transaction({"from": accounts[0], "to": accounts[1], "value": 10**18})
print("sent", w3.eth.wait_for_transaction_receipt(sent)["status"])
try:
    w3.eth.send_transaction({"from": accounts[3], "to": accounts[1], "value": 1})
    print("locked account was not refused")
except Web3Exception as error:
    print("locked account is refused:", "unlock" in str(error) or "locked" in str(error))
signer = w3.eth.account.from_key(sys.argv[3])
signed = signer.sign_transaction(
    {
        "nonce": w3.eth.get_transaction_count(signer.address),
        "data": CODE,
        "value": 0,
        "gas": 200_000,
        "gasPrice": w3.eth.gas_price,
        "chainId": w3.eth.chain_id,
    }
)
created = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))
contract = created["contractAddress"]
print("created", contract, created["gasUsed"], w3.eth.get_storage_at(contract, 0).hex())


def evm(method: str, *params: object) -> object:
    return w3.provider.make_request(method, list(params)).get("result")


snapshot = evm("evm_snapshot")
print("snapshot", snapshot, "at", w3.eth.block_number)
w3.eth.send_transaction({"from": accounts[1], "to": accounts[0], "value": 5})
print("mine", evm("evm_mine"), "block", w3.eth.block_number)
print("increase", evm("evm_increaseTime", 3600), evm("evm_mine"), "ahead", moved(0))
print("revert", evm("evm_revert", snapshot), "block", w3.eth.block_number)
print("revert again", evm("evm_revert", snapshot))
evm("evm_mine")
print("after the revert ahead", moved(0))
print("balance", w3.eth.get_balance(accounts[1]))
print("mine three", evm("evm_mine", {"blocks": 3}), "block", w3.eth.block_number)
