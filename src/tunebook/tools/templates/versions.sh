
# The packages that compute the result; an environment without tunebook cannot name them.
versions=${outcome%.outcome.json}.versions.json
rm -f -- "$versions"
run python -P -m tunebook.tools.runtime.versions --out "$versions" 2>/dev/null || true
