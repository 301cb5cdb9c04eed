# Needs a GPU.
NAME=qwen3-8b-wo-ots bash examples/run_qwen3_8b_vllm.sh +arm=wo_ots
