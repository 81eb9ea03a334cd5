
# The packages that compute the result, listed while the job starts; an environment without tunebook cannot name them.
versions=${outcome%.outcome.json}.versions.json
rm -f -- "$versions"
python -P -m tunebook.tools.runtime.versions --out "$versions" 2>/dev/null &
listing=$!
