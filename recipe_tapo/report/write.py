"""From evaluated models, a construction dump and a judge's results to one HTML file."""

from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.records.write import atomic_paths
from recipe_tapo.report.budget import DEFAULT_MEGABYTES, share_out
from recipe_tapo.report.construction_view import constructions_data
from recipe_tapo.report.evaluation_view import evaluations_data
from recipe_tapo.report.page import render_page
from recipe_tapo.report.reflection_view import reflection_data


def write_report(
    path: Path,
    evaluations: Sequence[Evaluation],
    construction_dump: Path | None = None,
    reflection: Path | None = None,
    *,
    max_megabytes: float = DEFAULT_MEGABYTES,
) -> None:
    """Writes the report, atomically.

    Args:
        path: The HTML file.
        evaluations: The models to show beside each other; may be empty where there are constructions.
        construction_dump: ``tapo.dump_dir`` of a training run.
        reflection: ``--output`` of ``tapo reflect``.
        max_megabytes: Room for texts of responses and constructions; see ``recipe_tapo.report.budget``.

    Raises:
        InputError: There is nothing to show, or an input cannot be read.
    """
    if not evaluations and construction_dump is None:
        raise InputError("nothing to report: give evaluated models, a construction dump, or both")
    for_responses, for_constructions = share_out(max_megabytes, bool(evaluations), construction_dump is not None)
    judged = reflection_data(reflection, evaluations) if reflection else None
    data = {
        **evaluations_data(evaluations, judged.verdicts if judged else {}, for_responses),
        "reflection": judged.results if judged else None,
        "constructions": constructions_data(construction_dump, for_constructions) if construction_dump else None,
    }
    with atomic_paths(path) as (temporary,):
        temporary.write_text(render_page(data), encoding="utf-8")
