# ---- the same in every script of tunebook: outcome, environment, caches ----
# A submission that no scheduler knew was given up, and its job submitted again: it must not run if it starts after all.
if [ -n "${TUNEBOOK_TAG:-}" ] && [ -e "$given_up/$TUNEBOOK_TAG" ]; then
    printf 'tunebook: this submission was given up, and its job was submitted again\n' >&2
    exit 75
fi
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
inputs_digest=$(cat -- "${inputs[@]}" | sha256sum | cut -d' ' -f1) || inputs_digest=
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tunebook.XXXXXXXX")

# The exit trap writes this job's outcome, whole or not at all, and keeps the exit code.
finish() {
    local code=$?
    trap - EXIT
    rm -rf -- "$scratch"
    printf '{"exit_code": %d, "started": "%s", "ended": "%s", "host": "%s", "tag": "%s", "inputs": "%s"}\n' \
        "$code" "$started" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(uname -n)" \
        "${TUNEBOOK_TAG:-}" "$inputs_digest" >"$outcome.part" &&
        mv -f -- "$outcome.part" "$outcome"
    exit "$code"
}
trap finish EXIT

# A signal ends the running program, so that the outcome is written before the scheduler kills the script.
stop() {
    local pid
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
cd -- "$directory"

# Module files and activation scripts break in strict mode.
set +eu
load_modules || fail 'a module line of the site settings failed: see above'
if [ -n "$conda_env" ]; then
    eval "$(conda shell.bash hook)" || fail 'conda was not found: add its module to the site settings'
    conda activate "$conda_env" || fail "the conda environment $conda_env could not be activated"
elif [ -n "$venv" ]; then
    # shellcheck disable=SC1091
    . "$venv/bin/activate" || fail "the virtual environment $venv could not be activated"
    # Activation scripts of older Pythons fail silently if the path needs quoting, and leave another Python active.
    [ "$(dirname -- "$(command -v python)")" -ef "$venv/bin" ] ||
        fail "activating $venv leaves $(command -v python) active: move it to a path without special characters"
fi
set -eu

# Models and data are local files: without internet, each look-up would cost a minute. Each job has a cache of its own.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_DATASETS_OFFLINE=1
export HF_DATASETS_CACHE="$scratch/datasets"
export PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false WANDB_MODE="${WANDB_MODE:-offline}"
