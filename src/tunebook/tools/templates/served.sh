
# ---- the server: one that several jobs share, or this job's own, which ends with it ----
server=
end_server() {
    local code=$?
    set +e
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    (exit "$code")
    finish
}
trap end_server EXIT

service=${TUNEBOOK_SERVICE:-}
unset TUNEBOOK_SERVICE # for this script only
if [ -n "$service" ] && grep -qF '"ended": ' -- "$service"; then
    printf 'tunebook: the server that this job should share has ended: it starts its own\n' >&2
    service=
fi
if [ -z "$service" ]; then
    service=$scratch/service.json
    TUNEBOOK_SERVICE_FILE=$service bash "$service_script" &
    server=$!
    while [ ! -e "$service" ]; do
        kill -0 "$server" 2>/dev/null || fail 'the server ended before it was ready: see above'
        sleep 0.2
    done
fi
printf '%s\n' "$served" >"$scratch/served.json"
serving=(--service "$service" --served "$scratch/served.json")
