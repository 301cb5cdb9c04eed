"""TAPO (arXiv 2606.18844), Trajectory-Augmented Policy Optimization, as a plug-in for verl."""

__version__ = "0.1.0"
