
# ---- evaluation ----
printf '%s\n' "$task_arguments" >"$scratch/task.json"
printf '%s\n' "$asked" >"$scratch/asked.json"
if ! [ -v serving ]; then
    serving=() # no server: the job loads the model itself
fi
# Checks the model, runs inspect-ai out of reach of variables and .env files, and reads its log.
# -P: modules come from the environment, not from this directory.
run python -P -m tunebook.tools.runtime.inspect_evaluation \
    --model "$model" --model-path "$model_path" "${prepare_options[@]}" "${serving[@]}" \
    --task-config "$scratch/task.json" --asked "$scratch/asked.json" --scratch "$scratch" \
    --log-dir "$log_directory" --out "$result" eval "$task" --display plain "${options[@]}" || {
    code=$?
    python -P -c 'import tunebook.tools.runtime.inspect_evaluation' ||
        fail "this environment lacks tunebook[inspect]: pip install 'PATH[inspect]' (PATH is a checkout or a wheel of tunebook)"
    exit "$code"
}
