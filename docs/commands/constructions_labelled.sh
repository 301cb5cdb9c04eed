# Needs a GPU (or half an hour).
python -m examples.benchmark.constructions --attempts real_constructions.jsonl --golds train.parquet \
    --model Qwen/Qwen2.5-Coder-1.5B-Instruct --dtype bfloat16 --max_model_len 5120 --max_tokens 1024 \
    --output outputs/labelled --at_a_time 24 --every 4 --labels examples/benchmark/first_wrong_steps.json \
    --variants continuation
