# Needs a GPU.
tapo preview --model Qwen/Qwen2.5-7B-Instruct --input train.parquet --output preview \
    --variants micro_reflective continuation continuation:judge:own
