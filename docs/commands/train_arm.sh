# Needs a GPU.
bash examples/run_qwen3_8b_vllm.sh +arm=wo_ots
