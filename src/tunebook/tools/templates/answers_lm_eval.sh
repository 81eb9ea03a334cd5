
# ---- what the model was asked and what it answered, for `tunebook spot-check` ----
run python -P -m tunebook.tools.runtime.lm_eval_answers \
    --logs "$scratch/attempt/logs" --asked "$scratch/asked.json" --out "$answers"
