"""What TAPO costs beside GRPO: its estimator, weights and loss in process, its steps on the CPU engine."""
