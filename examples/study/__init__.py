"""The study: baselines, ablations and variants trained on the arithmetic task by verl's real engine, and compared."""
