# Needs a GPU.
MODEL=Qwen/Qwen3-8B OUT=outputs/tapo bash examples/run_qwen3_8b_vllm.sh   # TAPO
MODEL=Qwen/Qwen3-8B OUT=outputs/grpo bash examples/run_qwen3_8b_grpo.sh   # GRPO, the same settings
