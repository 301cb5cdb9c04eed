python -m examples.cpu_demo.questions --output_dir outputs/arithmetic --val_size 64
tapo evaluate --model examples/cpu_demo/checkpoint --benchmark arithmetic=outputs/arithmetic/val.parquet \
    --output evaluations/before --max_tokens 64
