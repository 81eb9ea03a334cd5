# ---- the same in every array of tunebook ----
# The task's output goes to its own directory: what SLURM has opened for it is moved there.
name="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}.out"
output="$directory/slurm-$name"
if [ -e "$output" ]; then
    cat -- "$name" >>"$output" && rm -f -- "$name"
else
    mv -- "$name" "$output" 2>/dev/null || true
fi
exec >>"$output" 2>&1
export TUNEBOOK_TAG="$tag" TUNEBOOK_RESUME="$resume"
cd -- "$directory"
exec bash "$script"
