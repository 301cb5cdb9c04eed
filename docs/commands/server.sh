# Needs a GPU and a network.
vllm serve outputs/cold-start/hf --data-parallel-size 8 &   # wait until it says that it has started
python -m data_prep.zpd_filter --model outputs/cold-start/hf --base_url http://localhost:8000/v1 \
    --input ~/data/tapo/train.parquet --output ~/data/tapo/zpd.parquet
