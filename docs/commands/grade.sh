tapo grade responses.jsonl --output graded.jsonl
