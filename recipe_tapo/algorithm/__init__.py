"""The paper's mathematics: pure functions over tensors and plain data, free of verl, Ray and Hydra."""
