# ---- the same in every pack of tunebook ----
# Runs jobs that share one allocation, each with its own tag, directory and output. What happened to job K is in the
# folder of the pack: K.started and K.ended, which the executor reads, and K.cancelled, which the executor writes.
tick=0.2            # seconds between two looks at the jobs
ticks_to_cancel=10  # between two looks for jobs to cancel, which may be on a slow disk
patience_s=60       # for a cancelled job to end, and for the outcome of a needed job to become visible
service_wait_s=${TUNEBOOK_SERVICE_WAIT_S:-3600}
exit_code=0         # this script's; set once a signal ends the pack
count=${#numbers[@]}
pids=()             # of the running jobs, by their numbers
told=()             # when a running job was asked to end
service_pid=
mps_runs=
stem=slurm-${SLURM_JOB_ID:-local}
if [ -n "${TUNEBOOK_OUTPUT:-}" ]; then
    stem=${TUNEBOOK_OUTPUT##*/}
    stem=${stem%.out}
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tunebook.XXXXXXXX")
mkfifo "$scratch/never" && exec 9<>"$scratch/never"

idle() { # SECONDS: a pause that a signal ends, without a process of its own
    read -rt "$1" -u 9 _ || true
}

now() {
    date -u +%Y-%m-%dT%H:%M:%SZ
}

write() { # FILE TEXT: whole or not at all
    printf '%s\n' "$2" >"$1.part" && mv -f -- "$1.part" "$1"
}

ask_to_end() { # PID: a job and all its programs, as schedulers do; at its very start it has no group of its own yet
    kill -TERM -- "-$1" 2>/dev/null || kill -TERM "$1" 2>/dev/null || true
}

stop() { # every job writes its outcome; none is recorded as ended, since the cluster may run the pack again
    local pid
    exit_code=$1
    for pid in "${pids[@]}"; do
        ask_to_end "$pid"
    done
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 138' USR2

end_service() {
    local waited=0
    [ -n "$service_pid" ] || return 0
    kill -TERM -- "-$service_pid" 2>/dev/null || true
    while kill -0 -- "-$service_pid" 2>/dev/null && [ "$waited" -lt 100 ]; do
        idle 0.1
        waited=$((waited + 1))
    done
    kill -KILL -- "-$service_pid" 2>/dev/null || true
    service_pid=
}

finish() {
    trap - EXIT
    trap '' TERM INT USR2
    end_service
    if [ -n "$mps_runs" ]; then
        printf 'quit\n' | nvidia-cuda-mps-control >/dev/null 2>&1 || true
    fi
    rm -rf -- "$scratch"
    exit "$exit_code"
}
trap finish EXIT

# With MPS, kernels of several processes run on a GPU at the same time; without it they take turns.
start_mps() {
    [ "$mps" = 1 ] && [ "$lanes" -gt 1 ] && command -v nvidia-cuda-mps-control >/dev/null || return 0
    export CUDA_MPS_PIPE_DIRECTORY="$scratch/mps" CUDA_MPS_LOG_DIRECTORY="$scratch/mps-log"
    mkdir -p "$CUDA_MPS_PIPE_DIRECTORY" "$CUDA_MPS_LOG_DIRECTORY"
    if nvidia-cuda-mps-control -d; then
        mps_runs=1
        case ${CUDA_VISIBLE_DEVICES:-} in
            '' | *[!0-9]*) ;;
            *) export CUDA_VISIBLE_DEVICES=0 ;; # MPS counts the devices that it was given from 0
        esac
    else
        printf 'tunebook: CUDA MPS could not be started; the jobs take turns on the GPU\n'
        unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
    fi
}

service_is_alive() {
    [ -n "$service_pid" ] && kill -0 "$service_pid" 2>/dev/null
}

# Jobs that start while the service runs get its file; without it they start what they need, or fail with a reason.
start_service() {
    local deadline=$((SECONDS + service_wait_s))
    [ -n "$service" ] || return 0
    TUNEBOOK_TAG="$pack_tag.service" TUNEBOOK_SERVICE_FILE="$scratch/service.json" \
        setsid bash "$service" </dev/null >>"$folder/service.out" 2>&1 &
    service_pid=$!
    while [ ! -e "$scratch/service.json" ] && [ "$exit_code" -eq 0 ]; do
        if ! service_is_alive; then
            printf 'tunebook: the service ended before it was ready: see %s\n' "$folder/service.out"
            return 0
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'tunebook: the service was not ready after %s s: see %s\n' "$service_wait_s" "$folder/service.out"
            end_service
            return 0
        fi
        idle "$tick"
    done
}

has_succeeded() { # OUTCOME TAG
    local line
    line=$(cat -- "$1" 2>/dev/null) || return 1
    case $line in
        *"\"exit_code\": 0, "*"\"tag\": \"$2\""*) return 0 ;;
        *) return 1 ;;
    esac
}

has_ended() { # OUTCOME TAG
    grep -qF "\"tag\": \"$2\"" -- "$1" 2>/dev/null
}

needs_are_met() { # NUMBER: whether the jobs that it needs have succeeded; a shared disk may show that late
    local each
    local deadline=$((SECONDS + patience_s))
    for each in "${!need_members[@]}"; do
        [ "${need_members[each]}" = "$1" ] || continue
        until has_ended "${need_outcomes[each]}" "${need_tags[each]}"; do
            [ "$SECONDS" -lt "$deadline" ] && [ "$exit_code" -eq 0 ] || return 1
            idle 1
        done
        has_succeeded "${need_outcomes[each]}" "${need_tags[each]}" || return 1
    done
}

begin() { # NUMBER
    local number=$1
    local restarts=0
    local service_file=
    local output="${directories[number]}/$stem-$number.out"
    [ ! -e "$folder/$number.ended" ] || return 0 # before the cluster ran this pack again
    if [ -e "$folder/$number.cancelled" ]; then
        write "$folder/$number.ended" cancelled
        return 0
    fi
    if ! needs_are_met "$number"; then
        [ "$exit_code" -ne 0 ] || write "$folder/$number.ended" dropped
        return 0
    fi
    [ ! -e "$folder/$number.before" ] || restarts=${SLURM_RESTART_COUNT:-0}
    service_is_alive && [ -e "$scratch/service.json" ] && service_file=$scratch/service.json
    write "$folder/$number.started" "$(now)"
    (
        trap - TERM INT USR2 EXIT
        export TUNEBOOK_TAG="${tags[number]}" TUNEBOOK_RESUME="${resumes[number]}" TUNEBOOK_OUTPUT="$output"
        export TUNEBOOK_SERVICE="$service_file" SLURM_RESTART_COUNT="$restarts"
        exec 9<&-
        cd -- "${directories[number]}" && exec setsid bash "${scripts[number]}"
    ) </dev/null >>"$output" 2>&1 &
    pids[number]=$!
    told[number]=
    [ "$exit_code" -eq 0 ] || ask_to_end "${pids[number]}" # a signal came while it was started
}

collect() { # records the jobs that have ended
    local number
    local code
    for number in "${!pids[@]}"; do
        ! kill -0 "${pids[number]}" 2>/dev/null || continue
        code=0
        wait "${pids[number]}" || code=$?
        unset 'pids[number]'
        case $code in
            130 | 138 | 143) idle 1 ;; # the signal that ended it may be one for the whole pack
        esac
        # After a signal, only success counts: other jobs start again if the cluster runs this again.
        if [ "$exit_code" -eq 0 ] || [ "$code" -eq 0 ]; then
            write "$folder/$number.ended" "$code $(now)"
        fi
    done
}

cancel() { # ends the jobs that a person cancelled
    local number
    for number in "${!pids[@]}"; do
        [ -e "$folder/$number.cancelled" ] || continue
        if [ -z "${told[number]}" ]; then
            told[number]=$SECONDS
            ask_to_end "${pids[number]}"
        elif [ "$((SECONDS - told[number]))" -ge "$patience_s" ]; then
            kill -KILL -- "-${pids[number]}" 2>/dev/null || true
        fi
    done
}

# The cluster may run a pack again: jobs that had started without coming to an end start again.
for file in "$folder"/*.started; do
    [ ! -e "$file" ] || [ -e "${file%.started}.ended" ] || mv -f -- "$file" "${file%.started}.before"
done
lanes=$count
if [ -n "$at_once" ] && [ "$at_once" -lt "$count" ]; then
    lanes=$at_once
fi
if [ "$lanes" -gt 1 ] && [ -z "${OMP_NUM_THREADS:-}" ]; then
    threads=$((${TUNEBOOK_CORES:-$(nproc)} / lanes))
    export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
fi
start_mps
start_service
next=0
looks=0
while :; do
    while [ "$exit_code" -eq 0 ] && [ "$next" -lt "$count" ] && [ "${#pids[@]}" -lt "$lanes" ]; do
        begin "${numbers[next]}"
        next=$((next + 1))
    done
    [ "${#pids[@]}" -gt 0 ] || break
    idle "$tick"
    collect
    looks=$((looks + 1))
    [ "$((looks % ticks_to_cancel))" -ne 0 ] || cancel
done
