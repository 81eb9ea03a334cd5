
# One process loads what evaluations of a model need, and becomes a copy of itself for each of them.
exec python -P -m tunebook.tools.runtime.warm_evaluations --service-file "$TUNEBOOK_SERVICE_FILE"
