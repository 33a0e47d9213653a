#!/bin/sh
# A user's list, masked, one item a line, by redis-cli and jq; everybody's where there is none:
#   REDIS_URL=redis://127.0.0.1:6390/0 sh read.sh <user id, percent-encoded> [n] [namespace]
set -eu
user=$1 n=${2:-10} ns=${3:-shop}
ask() { redis-cli -u "$REDIS_URL" --raw "$@"; }

current=$(ask GET "shelf:{$ns}:current")
generation=$(printf %s "$current" | jq .generation)
model=$(printf %s "$current" | jq -r '.default_model | @uri')
hidden=$(
    {
        ask SMEMBERS "shelf:{$ns}:blocked"
        ask SMEMBERS "shelf:{$ns}:unavailable"
        ask ZRANGE "shelf:$ns:masked:{$user}" 0 -1
    } | jq -Rs 'split("\n")'
)
for key in "list:$model:{$user}" popular:all; do
    items=$(ask GET "shelf:$ns:$generation:$key" |
        jq -r --argjson hidden "$hidden" --argjson n "$n" '.items - $hidden | .[:$n][]')
    if [ -n "$items" ]; then printf '%s\n' "$items" && exit; fi
done
