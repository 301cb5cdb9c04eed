# To be sourced: a metrics file in $OUT for each start, since verl's file logger begins its file anew. Sets LATEST, verl's
# note of the last checkpoint's step. Files of starts after that step are of a run that is trained anew: they are set aside.
LATEST=$OUT/checkpoints/latest_checkpointed_iteration.txt
START=$(cat "$LATEST" 2>/dev/null || echo 0)
for file in "$OUT"/metrics-from-step-*.jsonl; do
  step=${file##*-}
  if [[ -f $file && ${step%.jsonl} -gt $START ]]; then mv "$file" "$file.replaced"; fi
done
export VERL_FILE_LOGGER_PATH=${VERL_FILE_LOGGER_PATH:-$OUT/metrics-from-step-$START.jsonl}
