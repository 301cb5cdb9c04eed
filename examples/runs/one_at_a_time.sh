# To be sourced: makes the folder $OUT this script's own, or ends it with one line that says whose it is.
# The commands that the script starts inherit the lock: it lasts until the last of them has ended, however they end.
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd) # Ray's workers have folders of their own
exec {ONE_AT_A_TIME}>>"$OUT/run.lock"
LOCKED=0
flock --nonblock --conflict-exit-code 75 "$ONE_AT_A_TIME" || LOCKED=$?
if [[ $LOCKED == 75 ]]; then
  echo "error: $OUT: in use by $(<"$OUT/run.lock"); wait until it has ended, or choose another OUT" >&2
  exit 2
elif [[ $LOCKED != 0 ]]; then
  echo "error: $OUT: its file system has no locks (flock); choose an OUT on another" >&2
  exit 2
fi
echo "process $$ on $(hostname), started $(date '+%F %T')" >"$OUT/run.lock"
