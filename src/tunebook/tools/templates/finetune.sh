
# ---- training ----
python -c 'import tunebook.tools.torchtune_components' ||
    fail "this environment lacks tunebook[torchtune]: install it there (pip install 'tunebook[torchtune]')"
run python -m tunebook.tools.torchtune_job preflight --config "$config"
begin=(--config "$config" --inputs "$inputs_digest")
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || [ -n "${TUNEBOOK_RESUME:-}" ]; then
    begin+=(--interrupted)
fi
resume=()
override=$(python -m tunebook.tools.torchtune_job begin "${begin[@]}")
[ -z "$override" ] || resume=("$override")
run tune run "${launcher[@]}" "$recipe" --config "$config" "${resume[@]}"
run python -m tunebook.tools.torchtune_job finish \
    --output-dir "$output_directory" --epochs "$epochs" --adapter "$adapter"
