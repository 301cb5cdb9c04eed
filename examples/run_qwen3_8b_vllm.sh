#!/usr/bin/env bash
# TAPO on Qwen3-8B (non-thinking), settings of the paper where it states them; one node of 8 GPUs.
# Knobs in capitals come from the environment; further verl overrides follow on the command line:
#   MODEL=/ckpt/cold_start TRAIN_FILE=data/zpd.parquet bash examples/run_qwen3_8b_vllm.sh trainer.total_training_steps=200
set -xeuo pipefail

MODEL=${MODEL:-Qwen/Qwen3-8B}
TRAIN_FILE=${TRAIN_FILE:-$HOME/data/tapo/train.parquet} # where data_prep writes
VAL_FILES=${VAL_FILES:-"['$HOME/data/tapo/aime_2024.parquet','$HOME/data/tapo/aime_2025.parquet']"} # a list of Hydra's
N_GPUS=${N_GPUS:-8}
N_NODES=${N_NODES:-1}
BATCH=${BATCH:-32}
ROLLOUTS=${ROLLOUTS:-8}
MAX_PROMPT=${MAX_PROMPT:-1024}
MAX_RESPONSE=${MAX_RESPONSE:-8192}
TENSOR_PARALLEL=${TENSOR_PARALLEL:-1}
WORKERS=${WORKERS:-4} # processes that run rollouts' agent loops, and as many that grade
STEPS=${STEPS:-500}
NAME=${NAME:-qwen3-8b-tapo}
OUT=${OUT:-$PWD/outputs/$NAME}
# shellcheck source=runs/one_at_a_time.sh
source "$(dirname "$0")/runs/one_at_a_time.sh"
# shellcheck source=runs/metrics_file.sh
source "$(dirname "$0")/runs/metrics_file.sh"

DATA=(
  data.train_files="'$TRAIN_FILE'" # quotes for Hydra, whose grammar stumbles over = and umlauts
  data.val_files="$VAL_FILES"
  data.train_batch_size="$BATCH"
  data.max_prompt_length="$MAX_PROMPT"
  data.max_response_length="$MAX_RESPONSE"
  data.filter_overlong_prompts=true
  +data.apply_chat_template_kwargs.enable_thinking=false
)
MODEL_ARGS=(
  actor_rollout_ref.model.path="'$MODEL'"
  actor_rollout_ref.model.use_remove_padding=true
  actor_rollout_ref.model.enable_gradient_checkpointing=true
)
ACTOR=(
  actor_rollout_ref.actor.strategy=fsdp2
  actor_rollout_ref.actor.ppo_mini_batch_size="$BATCH" # one optimizer step per rollout batch
  actor_rollout_ref.actor.use_dynamic_bsz=true
  actor_rollout_ref.actor.ppo_max_token_len_per_gpu=$((2 * (MAX_PROMPT + MAX_RESPONSE)))
  actor_rollout_ref.actor.optim.lr=1e-6
  actor_rollout_ref.actor.optim.lr_scheduler_type=cosine
  actor_rollout_ref.actor.optim.lr_warmup_steps=10
)
ROLLOUT=(
  actor_rollout_ref.rollout.n="$ROLLOUTS"
  actor_rollout_ref.rollout.tensor_model_parallel_size="$TENSOR_PARALLEL"
  actor_rollout_ref.rollout.gpu_memory_utilization=0.7
  actor_rollout_ref.rollout.agent.num_workers="$WORKERS"
  actor_rollout_ref.rollout.val_kwargs.n=5
  actor_rollout_ref.rollout.val_kwargs.temperature=0.6
  actor_rollout_ref.rollout.val_kwargs.top_p=0.9
  actor_rollout_ref.rollout.val_kwargs.do_sample=true
)
TRAINER=(
  trainer.project_name=tapo
  trainer.experiment_name="$NAME"
  trainer.logger='[console,file]'
  trainer.n_gpus_per_node="$N_GPUS"
  trainer.nnodes="$N_NODES"
  # What these ask Ray for decides whether verl starts: with one GPU 6 CPUs, with eight 27.
  transfer_queue.backend.SimpleStorage.num_data_storage_units=$((2 * N_NODES))
  reward.num_workers="$WORKERS"
  trainer.total_training_steps="$STEPS"
  'trainer.total_epochs=${trainer.total_training_steps}' # the steps alone end the run: an epoch has one step or more
  trainer.save_freq=50 # and after the last step, whatever its number
  trainer.max_actor_ckpt_to_keep=2 # one of a model of 8 billion parameters takes about 98 GB
  trainer.test_freq=25 # likewise
  trainer.default_local_dir="'$OUT/checkpoints'"
  tapo.dump_dir="'$OUT/constructions'"
  # Workers of a cluster that is already running have its environment, not this script's.
  +ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH="'$VERL_FILE_LOGGER_PATH'"
)

python -m verl.trainer.main_ppo +recipe=tapo \
  "${DATA[@]}" "${MODEL_ARGS[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${TRAINER[@]}" "$@"
