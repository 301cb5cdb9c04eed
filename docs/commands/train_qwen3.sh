# Needs a GPU.
# TAPO, and GRPO with the same settings, from the cold start's model:
export MODEL=outputs/cold-start/hf TRAIN_FILE=~/data/tapo/zpd.parquet
OUT=outputs/tapo bash examples/run_qwen3_8b_vllm.sh
OUT=outputs/grpo bash examples/run_qwen3_8b_grpo.sh

# Without a cold start, from the model as it is, on the questions that it answers sometimes:
export MODEL=Qwen/Qwen3-8B TRAIN_FILE=~/data/tapo/zpd-without-cold-start.parquet
python -m data_prep.zpd_filter --model $MODEL --data_parallel_size 8 --input ~/data/tapo/train.parquet --output $TRAIN_FILE
OUT=outputs/continuation bash examples/run_qwen3_8b_vllm.sh +arm=continuation
OUT=outputs/grpo-without-cold-start bash examples/run_qwen3_8b_grpo.sh
