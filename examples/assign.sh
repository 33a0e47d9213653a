# Assignment to experiments, by sha256sum, awk and jq; read.sh sources it.

# The bucket (0 to 9,999) under a salt of each user id on the input, one a line.
buckets() {
    hashed=$(mktemp -d) n=1000000
    while IFS= read -r user; do
        n=$((n + 1))
        printf '%s:%s' "$1" "$user" >"$hashed/$n" # a file an id: one process hashes all
    done
    (cd "$hashed" && sha256sum -- *) | awk '{
        number = 0
        for (i = 1; i <= 8; i++) number = number * 16 + index("0123456789abcdef", substr($1, i, 1)) - 1
        print int(number * 10000 / 4294967296)
    }'
    rm -r "$hashed"
}

# The model of a user's variant by the manifest on the input; nothing outside every experiment.
model_of() {
    jq -c '
        def seconds(otherwise):
            if . == "" then otherwise else sub("[+]00:00$"; "Z") | fromdate end;
        (.experiments // [])[]
        | select(.status == "running")
        | select((.start | seconds(0)) <= now and now < (.end | seconds(infinite)))
    ' | while IFS= read -r experiment; do
        id=$(printf %s "$experiment" | jq -r .id)
        if printf %s "$experiment" | jq -er \
            --argjson traffic "$(printf '%s\n' "$1" | buckets "$id:traffic")" \
            --argjson drawn "$(printf '%s\n' "$1" | buckets "$id:variant")" '
            def hold(number): any(.[]; .[0] <= number and number < .[1]);
            select(.traffic | hold($traffic))
            | first((.variants[] | select(.buckets | hold($drawn))), .variants[0]).model
        '; then break; fi
    done
}
