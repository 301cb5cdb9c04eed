# Needs a network (a judge).
tapo reflect evaluations/grpo evaluations/tapo --output reflection-model \
    --judge_url http://localhost:8000/v1 --judge_model Qwen3-235B-A22B-Instruct \
    --agreement examples.arithmetic.step_judge:judge
