"""The HTML report: one self-contained file about evaluated models and constructed trajectories; and plots of runs."""
