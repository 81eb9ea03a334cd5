
# ---- evaluation ----
since=$(date +%s)
# -P: modules come from the environment, not from this directory.
python -P -c 'import tunebook.tools.runtime.inspect_job' ||
    fail "this environment lacks tunebook[inspect]: install it there (pip install 'tunebook[inspect]')"
run python -P -m tunebook.tools.runtime.inspect_job prepare \
    --model-path "$model_path" --out "$scratch/model.json" "${prepare_options[@]}"
printf '%s\n' "$task_arguments" >"$scratch/task.json"
printf '%s\n' "$asked" >"$scratch/asked.json"
if ! [ -v serving ]; then
    serving=() # no server: the job loads the model itself
fi
# inspect-ai's own command line, out of reach of variables and .env files.
run python -P -m tunebook.tools.runtime.warm_client --model "$scratch/model.json" \
    tunebook.tools.runtime.inspect_eval --record "$scratch/in_effect.json" \
    "${serving[@]}" eval "$task" --model "$model" \
    --model-config "$scratch/model.json" --task-config "$scratch/task.json" \
    --log-dir "$log_directory" --log-format eval --display plain "${options[@]}"
run python -P -m tunebook.tools.runtime.warm_client tunebook.tools.runtime.inspect_job verify \
    --model "$model" --log-dir "$log_directory" --since "$since" \
    --model-config "$scratch/model.json" --task-config "$scratch/task.json" \
    --asked "$scratch/asked.json" --in-effect "$scratch/in_effect.json" --out "$result"
