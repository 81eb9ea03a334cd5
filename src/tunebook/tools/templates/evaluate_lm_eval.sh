
# ---- evaluation ----
# -P: modules come from the environment, not from this directory.
python -P -c 'import tunebook.tools.runtime.lm_eval_job' ||
    fail "this environment lacks tunebook[lm-eval]: install it there (pip install 'tunebook[lm-eval]')"
rm -f -- "$result"
printf '%s\n' "$asked" >"$scratch/asked.json"
# lm-eval writes into a new directory, out of reach of variables.
run python -P -m tunebook.tools.runtime.lm_eval_run \
    --model "$model" --model-path "$model_path" "${prepare_options[@]}" \
    --asked "$scratch/asked.json" --attempt "$scratch/attempt"
run python -P -m tunebook.tools.runtime.lm_eval_job \
    --model "$model" --asked "$scratch/asked.json" --attempt "$scratch/attempt" \
    --log-dir "$log_directory" --out "$result"
