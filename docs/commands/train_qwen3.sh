# Needs a GPU.
# TAPO, and GRPO with the same settings, from the cold start's model:
export MODEL=outputs/cold-start/hf TRAIN_FILE=~/data/tapo/zpd.parquet
OUT=outputs/tapo bash examples/run_qwen3_8b_vllm.sh
OUT=outputs/grpo bash examples/run_qwen3_8b_grpo.sh

# Without a cold start:
export MODEL=Qwen/Qwen3-8B
OUT=outputs/continuation bash examples/run_qwen3_8b_vllm.sh +arm=continuation
