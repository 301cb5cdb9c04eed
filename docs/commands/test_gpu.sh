# Needs a GPU.
python -m pytest -m gpu
