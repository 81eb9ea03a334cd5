# Module files and activation scripts break in strict mode. Arguments: conda environment, venv, Python code.
fail() {
    printf 'tunebook: %s\n' "$1" >&2
    exit 90
}
load_modules || fail 'a module line of the site settings failed'
if [ -n "$1" ]; then
    command -v conda >/dev/null || fail 'conda was not found: add its module under Module System'
    eval "$(conda shell.bash hook)"
    conda activate "$1" || fail "the conda environment $1 could not be activated"
elif [ -n "$2" ]; then
    [ -f "$2/bin/activate" ] || fail "$2 is not a virtual environment: it has no bin/activate"
    # shellcheck disable=SC1091
    . "$2/bin/activate" || fail "the virtual environment $2 could not be activated"
fi
exec python -c "$3"
