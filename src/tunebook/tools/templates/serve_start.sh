# ---- the server that evaluations share: started by each job that finds none, or once for several jobs ----
# The jobs find it by the file that it writes when it is ready.
scratch=$(dirname -- "$TUNEBOOK_SERVICE_FILE")

fail() {
    printf 'tunebook: %s\n' "$1" >&2
    exit 1
}
