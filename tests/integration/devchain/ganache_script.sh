#!/bin/sh
# A script as people write them for ganache-cli: $GANACHE is the command, $PYTHON has web3.py,
# $PORT is a free port. It is run with ganache-cli and with yichu-devchain, unchanged.
set -eu
mnemonic="candy maple cake sugar pudding cream honey rich smooth crumble sweet treat"
$GANACHE -m "$mnemonic" -a 5 -e 250 -i 5777 -p "$PORT" -h 127.0.0.1 -l 8000000 -g 0x0 -k berlin \
  --chain.chainId 4242 --secure -u 0 -u 1 --acctKeys "$FOLDER/keys.json" > "$FOLDER/ganache.log" 2>&1 &
ganache=$!
trap 'kill $ganache 2> /dev/null; wait $ganache 2> /dev/null || true' EXIT

waited=0
until grep -q "RPC Listening on" "$FOLDER/ganache.log"; do
  waited=$((waited + 1))
  test $waited -lt 600 || { cat "$FOLDER/ganache.log"; exit 1; }
  sleep 0.1
done
grep -A7 "Available Accounts" "$FOLDER/ganache.log" | grep '^('
grep -A7 "Private Keys" "$FOLDER/ganache.log" | grep '^('
grep "^Mnemonic:" "$FOLDER/ganache.log"
key=$(grep -A7 "Private Keys" "$FOLDER/ganache.log" | grep "^(2)" | cut -d" " -f2)
"$PYTHON" "$(dirname "$0")/ganache_client.py" "http://127.0.0.1:$PORT" "$FOLDER/keys.json" "$key"
