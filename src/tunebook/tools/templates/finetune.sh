
# ---- training ----
python -c 'from importlib.metadata import version; import tunebook; version("torchtune"), version("torchao")' ||
    fail "this environment lacks tunebook[torchtune]: pip install 'PATH[torchtune]' (PATH is a checkout or a wheel of tunebook)"
run python -m tunebook.tools.runtime.torchtune_job preflight --config "$config"
begin=(--config "$config" --inputs "$inputs_digest" --recipe "$recipe")
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || [ -n "${TUNEBOOK_RESUME:-}" ]; then
    begin+=(--interrupted)
fi
resumed=$(python -m tunebook.tools.runtime.torchtune_job begin "${begin[@]}")
overrides=()
if [ -n "$resumed" ]; then
    mapfile -t overrides <<<"$resumed"
    recipe=${overrides[0]}
    overrides=("${overrides[@]:1}")
fi
run tune run "${launcher[@]}" "$recipe" --config "$config" "${overrides[@]}"
run python -m tunebook.tools.runtime.torchtune_job finish \
    --config "$config" --output-dir "$output_directory" --epochs "$epochs" --adapter "$adapter"
run python -m tunebook.tools.runtime.torchtune_job prove \
    --config "$config" --output-dir "$output_directory" --epochs "$epochs"
