# To be sourced: makes the folder $OUT this script's own, or ends it with one line that says whose it is.
# The commands that the script starts inherit the lock: it lasts until the last of them has ended, however they end.
mkdir -p "$OUT"
exec {ONE_AT_A_TIME}>>"$OUT/run.lock"
if ! flock --nonblock "$ONE_AT_A_TIME"; then
  echo "error: $OUT: in use by $(<"$OUT/run.lock"); wait until it has ended, or choose another OUT" >&2
  exit 2
fi
echo "process $$ on $(hostname), started $(date '+%F %T')" >"$OUT/run.lock"
