# Needs a GPU (the server).
tapo preview --base_url http://localhost:8000/v1 --model Qwen/Qwen2.5-7B-Instruct --input train.parquet --output preview \
    --variants micro_reflective continuation
