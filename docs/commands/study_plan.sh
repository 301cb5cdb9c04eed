python -m examples.study --known_results examples/study/results/results.jsonl --arms grpo tapo --plan
