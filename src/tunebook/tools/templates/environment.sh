
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
