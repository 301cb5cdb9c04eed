#!/usr/bin/env bash
# The GRPO baseline with settings identical to TAPO's: same trainer, same everything, no constructions.
set -euo pipefail
NAME=${NAME:-qwen3-8b-grpo} exec bash "$(dirname "$0")/run_qwen3_8b_vllm.sh" tapo.enable=false "$@"
