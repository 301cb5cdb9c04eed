# Needs a GPU and a network.
vllm serve Qwen/Qwen3-8B --data-parallel-size 8
python -m data_prep.zpd_filter --model Qwen/Qwen3-8B --base_url http://localhost:8000/v1 \
    --input ~/data/tapo/train.parquet --output ~/data/tapo/zpd.parquet
