"""What a checkout runs: the demo, the study, the benchmark, and scripts for real training."""
