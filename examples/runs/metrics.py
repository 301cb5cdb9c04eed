"""What verl's file logger writes during a run, one line per step."""

from pathlib import Path

from recipe_tapo.records.json_lines import read_whole_lines

METRICS = "metrics.jsonl"
StepMetrics = dict[str, float]


def read_metrics(path: Path) -> list[StepMetrics]:
    """One record per logged step (step 0 is the validation before training); [] while there is no file."""
    if not path.exists():
        return []
    return [{"step": entry["step"], **entry["data"]} for entry in read_whole_lines(path)]


def training_steps(records: list[StepMetrics]) -> list[StepMetrics]:
    """The records of training steps, without validation before training."""
    return [record for record in records if "training/global_step" in record]
