"""Where things lie in a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
"""The cold-started model that comes with the project."""
