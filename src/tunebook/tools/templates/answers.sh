
# ---- what the model was asked and what it answered, for `tunebook spot-check` ----
run python -P -m tunebook.tools.runtime.inspect_answers --log-dir "$log_directory" --out "$answers"
