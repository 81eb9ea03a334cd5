
# ---- training ----
python -c 'from importlib.metadata import version; import tunebook; version("trl"), version("peft")' ||
    fail "this environment lacks tunebook[trl]: pip install 'PATH[trl]' (PATH is a checkout or a wheel of tunebook)"
# Variables of a person's shell that Accelerate would obey.
unset "${!ACCELERATE_@}" "${!FSDP_@}" "${!PARALLELISM_CONFIG_@}"
run python -m tunebook.tools.runtime.trl_job preflight --config "$config"
begin=(--config "$config" --inputs "$inputs_digest")
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || [ -n "${TUNEBOOK_RESUME:-}" ]; then
    begin+=(--interrupted)
fi
resumed=$(python -m tunebook.tools.runtime.trl_job begin "${begin[@]}")
training=(--config "$config" --processes "$processes")
if [ -n "$resumed" ]; then
    training+=(--resume "$resumed")
fi
if [ "$processes" -gt 1 ]; then
    run accelerate launch --config_file "$accelerate_config" -m tunebook.tools.runtime.trl_training "${training[@]}"
else
    run python -m tunebook.tools.runtime.trl_training "${training[@]}"
fi
run python -m tunebook.tools.runtime.trl_job finish --config "$config"
run python -m tunebook.tools.runtime.trl_job prove --config "$config"
