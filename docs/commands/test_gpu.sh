# Needs a GPU.
python -m pytest tests/gpu
