#!/usr/bin/env bash
# The demo's training as the plain command it is: the whole engine on a CPU, no wrapper around it.
set -xeuo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
OUT=${OUT:-$PWD/outputs/cpu_tiny}
STEPS=${STEPS:-40}

# shellcheck source=runs/one_at_a_time.sh
source "$ROOT/examples/runs/one_at_a_time.sh"
# A run here never goes on where another one stopped.
export VERL_FILE_LOGGER_PATH=${VERL_FILE_LOGGER_PATH:-$OUT/metrics.jsonl}
PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH} "$PYTHON" -m examples.cpu_demo.questions --output_dir "$OUT"
"$PYTHON" -m verl.trainer.main_ppo '+recipe=[tapo,cpu,cpu_demo]' \
  actor_rollout_ref.model.path="'$ROOT/examples/cpu_demo/checkpoint'" \
  data.train_files="'$OUT/train.parquet'" \
  data.val_files="'$OUT/val.parquet'" \
  trainer.logger='[console,file]' \
  trainer.total_training_steps="$STEPS" \
  trainer.test_freq="$STEPS" \
  trainer.save_freq="$STEPS" \
  trainer.default_local_dir="'$OUT/checkpoints'" \
  tapo.dump_dir="'$OUT/constructions'" \
  hydra.run.dir="'$OUT/hydra'" \
  "$@"
