"""Evaluation: sampled and graded responses, their statistics, and the folder that holds them."""
