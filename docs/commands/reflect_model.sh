# Needs a network (a judge).
tapo reflect evaluations/grpo evaluations/tapo --output reflection \
    --judge_url http://localhost:8000/v1 --judge_model Qwen3-235B-A22B-Instruct
