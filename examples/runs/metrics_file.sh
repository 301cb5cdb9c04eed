# To be sourced: a metrics file in $OUT for each start, since verl's file logger begins its file anew. Sets LATEST, verl's
# note of the last checkpoint's step.
LATEST=$OUT/checkpoints/latest_checkpointed_iteration.txt
export VERL_FILE_LOGGER_PATH=${VERL_FILE_LOGGER_PATH:-$OUT/metrics-from-step-$(cat "$LATEST" 2>/dev/null || echo 0).jsonl}
