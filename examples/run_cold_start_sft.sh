#!/usr/bin/env bash
# The paper's cold start: builds the joint set, trains on it with verl's own SFT trainer, and merges the last checkpoint
# into a Hugging Face folder ($OUT/hf) that RL can start from. Interrupted, it goes on from the last checkpoint when the
# same command is given again.
# Knobs in capitals come from the environment; further overrides of the SFT trainer follow on the command line:
#   MODEL=Qwen/Qwen3-8B QUERIES=~/data/tapo/train.parquet bash examples/run_cold_start_sft.sh trainer.logger='[console]'
# With TRAIN_FILE the set is not built but taken from there; BUILD holds further arguments of data_prep.cold_start.
set -xeuo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

PYTHON=${PYTHON:-python}
MODEL=${MODEL:-Qwen/Qwen3-8B}
CHAT_TEMPLATE_KWARGS=${CHAT_TEMPLATE_KWARGS-'{"enable_thinking": false}'}
OUT=${OUT:-$PWD/outputs/qwen3-8b-cold-start}
QUERIES=${QUERIES:-$HOME/data/tapo/train.parquet}
BUILD=${BUILD:-}
TRAIN_FILE=${TRAIN_FILE:-}
N_GPUS=${N_GPUS:-8}
BATCH=${BATCH:-256}
MAX_LENGTH=${MAX_LENGTH:-16384} # tokens of the longest row

for override in "$@"; do
  if [[ $override =~ model\.lora_(rank=[1-9]|adapter_path=) ]]; then
    set +x
    echo "$override: the cold start trains all weights; verl's merger would leave an adapter out of $OUT/hf" >&2
    exit 2
  fi
done

# shellcheck source=runs/one_at_a_time.sh
source "$ROOT/examples/runs/one_at_a_time.sh"

if [ -z "$TRAIN_FILE" ]; then
  # shellcheck disable=SC2086 # BUILD is a list of words
  PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH} "$PYTHON" -m data_prep.cold_start --input "$QUERIES" --output_dir "$OUT/data" --model "$MODEL" \
    --chat_template_kwargs "$CHAT_TEMPLATE_KWARGS" --max_row_tokens "$MAX_LENGTH" $BUILD
  TRAIN_FILE=$OUT/data/cold_start.parquet
fi

DATA=(
  data.train_files="'$TRAIN_FILE'" # quotes for Hydra, whose grammar stumbles over = and umlauts
  data.train_batch_size="$BATCH"
  data.max_length="$MAX_LENGTH"
  data.truncation=right
  data.use_dynamic_bsz=true
  data.max_token_len_per_gpu="$MAX_LENGTH"
  data.custom_cls.path=pkg://recipe_tapo.engine.sft_dataset # rows tokenized as rollouts are
  data.custom_cls.name=RolloutFormatSFTDataset
  # Hydra takes no quotes around keys.
  "+data.apply_chat_template_kwargs=$(sed -E 's/"([A-Za-z_][A-Za-z0-9_]*)"[[:space:]]*:/\1:/g' <<<"$CHAT_TEMPLATE_KWARGS")"
)
TRAINING=(
  model.path="'$MODEL'"
  engine.strategy=fsdp2
  optim.lr=5e-6
  optim.lr_warmup_steps=50
  optim.lr_scheduler_type=cosine
  trainer.total_epochs=3
)
TRAINER=(
  trainer.project_name=tapo
  trainer.experiment_name=cold-start
  trainer.logger='[console,file]'
  trainer.n_gpus_per_node="$N_GPUS"
  trainer.save_freq=after_each_epoch
  trainer.max_ckpt_to_keep=2 # with 1, verl removes the checkpoint before it names the new one as the last
  trainer.default_local_dir="'$OUT/checkpoints'"
  hydra.run.dir="'$OUT/hydra'"
)

mkdir -p "$OUT/checkpoints"
# shellcheck source=runs/metrics_file.sh
source "$ROOT/examples/runs/metrics_file.sh"
# The recipe cpu_sft is empty where there is an accelerator.
"$PYTHON" -m torch.distributed.run --standalone --nproc_per_node="$N_GPUS" -m recipe_tapo.engine.sft_trainer +recipe=cpu_sft \
  "${DATA[@]}" "${TRAINING[@]}" "${TRAINER[@]}" "$@"

LAST=$OUT/checkpoints/global_step_$(<"$LATEST")
rm -rf "$OUT/hf.unfinished"
"$PYTHON" -m verl.model_merger merge --backend fsdp --local_dir "$LAST" --target_dir "$OUT/hf.unfinished"
rm -rf "$OUT/hf"
mv "$OUT/hf.unfinished" "$OUT/hf"
