
# ---- evaluation ----
rm -f -- "$result"
printf '%s\n' "$asked" >"$scratch/asked.json"
# lm-eval writes into a new directory, out of reach of variables; the same process then reads what it wrote.
# -P: modules come from the environment, not from this directory.
run python -P -m tunebook.tools.runtime.lm_eval_job \
    --model "$model" --model-path "$model_path" "${prepare_options[@]}" \
    --asked "$scratch/asked.json" --attempt "$scratch/attempt" \
    --log-dir "$log_directory" --out "$result" || {
    code=$?
    python -P -c 'import tunebook.tools.runtime.lm_eval_job' ||
        fail "this environment lacks tunebook[lm-eval]: pip install 'PATH[lm-eval]' (PATH is a checkout or a wheel of tunebook)"
    exit "$code"
}
