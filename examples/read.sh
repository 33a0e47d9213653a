#!/bin/sh
# A user's list, masked, one item a line, by redis-cli and jq; everybody's where there is none:
#   REDIS_URL=redis://127.0.0.1:6390/0 sh read.sh <user id> [n] [namespace]
set -eu
. "$(dirname "$0")/assign.sh"
user=$1 n=${2:-10} ns=${3:-shop}
ask() { redis-cli -u "$REDIS_URL" --raw "$@"; }
encode() { # jq before 1.7 leaves five characters as they are
    jq -rn --arg id "$1" '$id | @uri | gsub("!"; "%21") | gsub("\u0027"; "%27") |
        gsub("[(]"; "%28") | gsub("[)]"; "%29") | gsub("[*]"; "%2A")'
}

current=$(ask GET "shelf:{$ns}:current")
generation=$(printf %s "$current" | jq .generation)
model=$(printf %s "$current" | jq -r .default_model)
variant=$(printf %s "$current" | model_of "$user")
tag="{$(encode "$user")}"
hidden=$(
    {
        ask SMEMBERS "shelf:{$ns}:blocked"
        ask SMEMBERS "shelf:{$ns}:unavailable"
        ask ZRANGE "shelf:$ns:masked:$tag" 0 -1
    } | jq -Rs 'split("\n")'
)
for key in ${variant:+"list:$(encode "$variant"):$tag"} "list:$(encode "$model"):$tag" popular:all; do
    items=$(ask GET "shelf:$ns:$generation:$key" |
        jq -r --argjson hidden "$hidden" --argjson n "$n" '.items - $hidden | .[:$n][]')
    if [ -n "$items" ]; then printf '%s\n' "$items" && exit; fi
done
