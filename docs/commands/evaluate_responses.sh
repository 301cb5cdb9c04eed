tapo evaluate --responses answers.jsonl --benchmark arithmetic=val.parquet --output evaluations/elsewhere
