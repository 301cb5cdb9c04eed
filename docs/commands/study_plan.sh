python -m examples.study --output_dir study_known --known_results examples/study/results/results.jsonl --arms grpo tapo --plan
