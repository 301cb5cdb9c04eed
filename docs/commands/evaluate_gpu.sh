# Needs a GPU and a network.
python -m data_prep.benchmarks   # AIME 2024, AIME 2025, HMMT February 2025 → ~/data/tapo
tapo evaluate --model outputs/tapo/checkpoints \
    --benchmark aime_2024,aime_2025,hmmt_2025 --output evaluations/tapo --report
tapo evaluate --model outputs/grpo/checkpoints \
    --benchmark aime_2024,aime_2025,hmmt_2025 --output evaluations/grpo --report
