
# The server has an environment of its own; tunebook watches it from that of the evaluations.
exec python -P -m tunebook.tools.runtime.vllm_server --service-file "$TUNEBOOK_SERVICE_FILE" \
    --model "$model" --precision "$precision" --max-rank "$max_rank" \
    --conda-env "$server_conda_env" --venv "$server_venv" -- "${server_options[@]}"
