python -m examples.study --regime inverses --output_dir study_inverses --seeds 0 1 2 --rl_seeds 0 1 2 --plan
