"""Prompts: the synthesis prompt (paper, Fig. 2) and ours, as files with placeholders that are checked and filled."""

import re
from pathlib import Path

from recipe_tapo.errors import InputError

MICRO_REFLECTIVE = "micro_reflective"
FULL_RECONSTRUCTION = "full_reconstruction"
REWRITING_MODES = (MICRO_REFLECTIVE, FULL_RECONSTRUCTION)
SELF_TEACHER = "self_teacher"  # OPSD's: what the policy sees as its own teacher
CONTINUATION, CONTINUATION_OWN = "continuation", "continuation_own"  # ours
LOCATE = "locate"  # ours

# Ours: what stands between what is kept and what the policy writes, by ``synthesis.transition``: a whole phrase, or the
# beginning of one that the policy ends.
TRANSITIONS = {"fixed": "transitions", "begun": "beginnings"}
# The prompt that each locator of ``continuation`` shows; ``answer`` only where it falls back on a judge.
LOCATE_PROMPTS = {"judge": LOCATE, "teacher": SELF_TEACHER, "answer": LOCATE}

# What each kind of prompt must show.
PLACEHOLDERS = {
    MICRO_REFLECTIVE: ("question", "error_rollout", "correct_rollout"),
    FULL_RECONSTRUCTION: ("question", "error_rollout", "correct_rollout"),
    SELF_TEACHER: ("question", "correct_rollout"),
    CONTINUATION: ("question", "correct_rollout"),
    CONTINUATION_OWN: ("question", "correct_rollout"),
    LOCATE: ("question", "correct_rollout", "numbered_steps"),
}
# What a kind of prompt may show besides.
OPTIONAL_PLACEHOLDERS = {CONTINUATION: ("wrong_step",), CONTINUATION_OWN: ("wrong_step",)}
_PLACEHOLDER = re.compile(r"\{(question|error_rollout|correct_rollout|wrong_step|numbered_steps)\}")


class PromptTemplateError(InputError):
    """A synthesis prompt that cannot be used: unreadable file, a placeholder missing or one that nothing fills."""


def template_path(name: str) -> Path:
    """The file that ships with the package: a prompt by its kind, or a list of phrases or patterns by its name."""
    return Path(__file__).parent / "templates" / f"{name}.txt"


def load_template(path: str | Path | None = None, mode: str = MICRO_REFLECTIVE) -> str:
    """Reads a synthesis prompt template.

    Args:
        path: A user's own template; None for the package's template of ``mode``.
        mode: A key of ``PLACEHOLDERS``: ``micro_reflective`` (paper, §3.3), ``full_reconstruction`` (its ablation),
            ``self_teacher`` (OPSD), ``continuation``, ``continuation_own`` or ``locate`` (ours).

    Raises:
        PromptTemplateError: The file cannot be read, lacks one of the mode's placeholders, or has one that the mode
            does not fill, so that the policy would read its name.
    """
    path = Path(path) if path else template_path(mode)
    try:
        template = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PromptTemplateError(f"cannot read the {mode} prompt {path}: {error}") from error
    missing = [name for name in PLACEHOLDERS[mode] if "{" + name + "}" not in template]
    if missing:
        names = ", ".join("{" + name + "}" for name in missing)
        raise PromptTemplateError(f"the {mode} prompt {path} lacks {names}; add each placeholder at least once")
    filled = (*PLACEHOLDERS[mode], *OPTIONAL_PLACEHOLDERS.get(mode, ()))
    unfilled = sorted(set(_PLACEHOLDER.findall(template)) - set(filled))
    if unfilled:
        names = ", ".join("{" + name + "}" for name in unfilled)
        raise PromptTemplateError(f"the {mode} prompt {path} has {names}, which nothing fills there; take it out")
    return template


def fill_template(template: str, **values: str) -> str:
    """Fills the placeholders in one pass, so that braces inside the inserted texts stay as they are.

    Args:
        template: See ``load_template``.
        **values: The text for each placeholder; one without stays as it is.
    """
    return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group(0)), template)


def read_lines(path: str | Path | None, name: str) -> list[str]:
    """Reads a file of one entry a line; blank lines and those that begin with # are left out.

    Args:
        path: A user's own file; None for the package's ``templates/<name>.txt``.
        name: What the file holds.

    Raises:
        PromptTemplateError: The file cannot be read or holds no entry.
    """
    path = Path(path) if path else template_path(name)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise PromptTemplateError(f"cannot read the {name} of {path}: {error}") from error
    entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise PromptTemplateError(f"{path} holds no {name}; write one a line")
    return entries


def read_transitions(transition: str, path: str | Path | None = None) -> list[str]:
    """What ``synthesis.transition`` writes for the policy, one of these; empty where it writes nothing.

    Args:
        transition: ``fixed``, ``begun`` or one that writes nothing.
        path: A user's own file; None for the package's.

    Raises:
        PromptTemplateError: The file cannot be read or holds no entry.
    """
    name = TRANSITIONS.get(transition)
    return [] if name is None else read_lines(path, name)
