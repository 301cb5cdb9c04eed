python -m examples.benchmark.verdicts responses.jsonl --output differences.jsonl
