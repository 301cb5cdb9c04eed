tapo preview --model examples/cpu_demo/checkpoint --input outputs/arithmetic/train.parquet --output preview \
    --questions 16 --max_tokens 64 --max_model_len 512 --variants micro_reflective --set synthesis.min_new_tokens=5
