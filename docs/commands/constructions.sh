# Needs a GPU.
python -m examples.benchmark.constructions --attempts constructions --golds train.parquet \
    --model Qwen/Qwen2.5-7B-Instruct --output outputs/constructions --max_tokens 1024 --max_model_len 6144 \
    --variants micro_reflective continuation continuation:judge:own continuation:teacher:none
