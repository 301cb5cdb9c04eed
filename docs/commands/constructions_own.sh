# Needs a GPU (or two hours).
python -m examples.benchmark.constructions --model Qwen/Qwen2.5-Coder-1.5B-Instruct --dtype bfloat16 \
    --max_model_len 5120 --max_tokens 1024 --output outputs/constructions --variants continuation \
    --labels examples/benchmark/wrong_rollouts_first_wrong_steps.json
