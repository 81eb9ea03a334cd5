
# ---- evaluation ----
since=$(date +%s)
python -c 'import tunebook.tools.runtime.inspect_job' ||
    fail "this environment lacks tunebook[inspect]: install it there (pip install 'tunebook[inspect]')"
run python -m tunebook.tools.runtime.inspect_job prepare \
    --model-path "$model_path" --out "$scratch/model.json" "${prepare_options[@]}"
printf '%s\n' "$task_arguments" >"$scratch/task.json"
# Variables of the shell would silently set options that this script leaves out.
for name in "${!INSPECT_EVAL_@}"; do unset "$name"; done
run inspect eval "$task" --model "$model" \
    --model-config "$scratch/model.json" --task-config "$scratch/task.json" \
    --log-dir "$log_directory" --display plain "${options[@]}"
run python -m tunebook.tools.runtime.inspect_job verify \
    --log-dir "$log_directory" --since "$since" --samples "$samples" --out "$result"
