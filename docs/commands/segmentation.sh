# Needs a network (the tokenizer).
python -m examples.benchmark.segmentation --attempts constructions --tokenizer Qwen/Qwen2.5-Coder-1.5B-Instruct
