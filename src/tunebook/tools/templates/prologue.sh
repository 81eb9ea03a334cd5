# ---- the same in every script of tunebook: outcome, environment, caches ----
# A submission that no scheduler knew was given up, and its job submitted again: it must not run if it starts after all.
if [ -n "${TUNEBOOK_TAG:-}" ] && [ -e "$given_up/$TUNEBOOK_TAG" ]; then
    printf 'tunebook: this submission was given up, and its job was submitted again\n' >&2
    exit 75
fi
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
inputs_digest=
input_digests=()
input_places=()
listing=
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tunebook.XXXXXXXX")

quoted() {
    local separator='' word
    for word in "$@"; do
        printf '%s"%s"' "$separator" "$word"
        separator=', '
    done
}

# The exit trap writes this job's outcome, whole or not at all, and keeps the exit code.
finish() {
    local code=$?
    trap - EXIT
    trap '' TERM INT USR2 # a second signal must not cut the outcome short
    [ -z "$listing" ] || wait "$listing" 2>/dev/null || true # the versions, which appear before the outcome
    rm -rf -- "$scratch"
    {
        printf '{"exit_code": %d, "started": "%s", "ended": "%s", "host": "%s", "tag": "%s", ' \
            "$code" "$started" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -n)" "${TUNEBOOK_TAG:-}"
        printf '"inputs": [%s], "places": [%s]}\n' \
            "$(quoted "${input_digests[@]}")" "$(quoted "${input_places[@]}")"
    } >"$outcome.part" &&
        mv -f -- "$outcome.part" "$outcome"
    exit "$code"
}
trap finish EXIT

# A signal ends the running program, so that the outcome is written before the scheduler kills the script.
stop() {
    local pid
    trap '' TERM INT USR2
    for pid in $(jobs -p); do
        kill -TERM "$pid" 2>/dev/null || true
    done
    wait
    exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 138' USR2

run() {
    "$@" &
    wait "$!"
}

fail() {
    printf 'tunebook: %s\n' "$1" >&2
    exit 1
}

if [ "${SLURM_RESTART_COUNT:-0}" -gt 3 ]; then
    fail 'the cluster has interrupted this job more than three times'
fi
rm -f -- "$outcome"

# The digests of what decides the science, as tunebook computes them: not of requests for resources, nor of places.
digest() {
    sha256sum | cut -c 1-64
}

replace_path() { # PATH NAME: in $text, where the path ends there
    local end
    [[ $text == *"$1"* ]] || return 0
    for end in / \' '"' @ ' ' ',' ';' : ')' ']' '}' $'\n'; do
        text=${text//"$1$end"/"$2$end"}
    done
}

digest_text() {
    local text
    local path
    local number=1
    text=$({ sed '/^#SBATCH/d' | tr -d '\000' && printf x; } <"$1") || return 1
    text=${text%x}
    for path in "${input_texts[@]}" "${input_data[@]}" "${input_models[@]}"; do
        replace_path "$path" "<input $number>"
        number=$((number + 1))
    done
    replace_path "$experiment" '<experiment>'
    printf '%s' "$text" | digest
}

list_data() { # DIRECTORY: every file that is not hidden, in the order of the names
    local entry
    local sum
    [ -r "$1" ] && [ -x "$1" ] || return 1
    for entry in "$1"/*; do
        if [ -d "$entry" ]; then
            list_data "$entry" || return 1
        elif [ -f "$entry" ]; then
            sum=$(digest <"$entry") || return 1
            printf '%s %s\0' "$sum" "${entry#"$path"/}"
        fi
    done
}

digest_data() {
    local path=$1
    if [ -d "$path" ]; then
        list_data "$path" | digest
    else
        digest <"$path"
    fi
}

list_model() { # DIRECTORY: weights by their size and their first and last MiB, all other files in full
    local file
    local sum
    [ -r "$1" ] && [ -x "$1" ] || return 1
    for file in "$1"/* "$1"/additional_chat_templates/*; do
        [ -f "$file" ] || continue
        case $file in
            *.md) continue ;;
            *.json | *.jinja | *.txt | *.model | *.py) sum=$(digest <"$file") || return 1 ;;
            *) sum=$({ head -c 1048576 <"$file" && tail -c 1048576 <"$file"; } | digest) || return 1 ;;
        esac
        printf '%s %s %s\0' "$sum" "$(stat -Lc %s -- "$file")" "${file#"$1"/}"
    done
}

digest_model() {
    local sum
    sum=$(list_model "$1" | digest) || return 1
    [ "$sum" != "$(printf '' | digest)" ] || return 1
    printf '%s\n' "$sum"
}

or_dash() {
    local sum
    sum=$("$@") || sum=-
    printf '%s\n' "$sum"
}

digest_inputs() { # one line each: of texts, data and models, then of the places of data and models
    local path
    export LC_ALL=C
    for path in "${input_texts[@]}"; do or_dash digest_text "$path"; done
    for path in "${input_data[@]}"; do or_dash digest_data "$path"; done
    for path in "${input_models[@]}"; do or_dash digest_model "$path"; done
    for path in "${input_data[@]}" "${input_models[@]}"; do printf '%s' "${path#"$experiment"/}" | digest; done
}

run digest_inputs >"$scratch/inputs" 2>/dev/null
mapfile -t input_digests <"$scratch/inputs"
number=$((${#input_texts[@]} + ${#input_data[@]} + ${#input_models[@]}))
input_places=("${input_digests[@]:number}")
input_digests=("${input_digests[@]:0:number}")
# shellcheck disable=SC2034  # for bodies that can resume
case " ${input_digests[*]} " in
    *' - '*) ;; # something cannot be read: nothing can be resumed
    *) inputs_digest=$(printf '%s\n' "${input_digests[@]}" | digest) ;;
esac
cd -- "$directory"
