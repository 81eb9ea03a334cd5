
# ---- training ----
python -c 'import tunebook.tools.torchtune_components' ||
    fail "this environment lacks tunebook[torchtune]: install it there (pip install 'tunebook[torchtune]')"
run python -m tunebook.tools.torchtune_job preflight --config "$config"
run tune run "${launcher[@]}" "$recipe" --config "$config"
run python -m tunebook.tools.torchtune_job finish \
    --output-dir "$output_directory" --epochs "$epochs" --adapter "$adapter"
