# Needs a GPU and a network.
DATA=~/data/tapo OUT=$PWD/outputs

# 1. AIME 2024, AIME 2025, HMMT February 2025: three parquet files of 30 rows
python -m data_prep.benchmarks --local_save_dir $DATA

# 2. DeepScaleR, 40,315 rows: train.parquet, rejected.jsonl, findings.jsonl; compared with the benchmarks of step 1
python -m data_prep.deepscaler --local_save_dir $DATA

# 3. and 4. Cold start: 8 responses and at most one construction per query, 30,000 + 15,000 rows; then SFT, 3 epochs,
#           learning rate 5e-6, 50 warm-up steps, cosine schedule. The result is $OUT/cold-start/hf
MODEL=Qwen/Qwen3-8B QUERIES=$DATA/train.parquet OUT=$OUT/cold-start \
    BUILD='--data_parallel_size 8' bash examples/run_cold_start_sft.sh

# 5. The zone of proximal development of the cold-started model: accuracy in [0.125, 0.875], about 16,000 queries
python -m data_prep.zpd_filter --model $OUT/cold-start/hf --data_parallel_size 8 \
    --input $DATA/train.parquet --output $DATA/zpd.parquet

# 6. TAPO (the GRPO baseline: run_qwen3_8b_grpo.sh with the same variables)
MODEL=$OUT/cold-start/hf TRAIN_FILE=$DATA/zpd.parquet \
    VAL_FILES="[$DATA/aime_2024.parquet,$DATA/aime_2025.parquet,$DATA/hmmt_feb_2025.parquet]" \
    OUT=$OUT/tapo bash examples/run_qwen3_8b_vllm.sh

# 7. Pass@k of the last checkpoint: 5 samples, 16 runs, temperature 0.6, top-p 0.9
tapo evaluate --model $OUT/tapo/checkpoints --data_parallel_size 8 \
    --benchmark aime_2024,aime_2025,hmmt_feb_2025 --data_dir $DATA --output $OUT/tapo/evaluation
