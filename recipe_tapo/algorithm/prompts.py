"""The synthesis prompt (paper, Fig. 2): question + wrong rollout + right rollout -> instruction text."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recipe_tapo.algorithm.tokens import ChatTokenizer

MICRO_REFLECTIVE = "micro_reflective"
FULL_RECONSTRUCTION = "full_reconstruction"
MODES = (MICRO_REFLECTIVE, FULL_RECONSTRUCTION)
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


class PromptTemplateError(ValueError):
    """A synthesis prompt that cannot be used: unreadable file, a placeholder missing or one that nothing fills."""


def default_path(mode: str = MICRO_REFLECTIVE) -> Path:
    """Returns the template that ships with the package for a synthesis mode."""
    return Path(__file__).parent / "templates" / f"{mode}.txt"


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
    path = Path(path) if path else default_path(mode)
    try:
        template = path.read_text(encoding="utf-8").strip()
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
    path = Path(path) if path else default_path(name)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
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


def teacher_chat(
    template: str, messages: Sequence[Mapping[str, Any]], question: str, correct_rollout: str
) -> list[dict[str, Any]]:
    """The chat in which the policy is its own teacher, π(· | x, y⁺) (paper §4, OPSD): the student's, with y⁺ in it.

    Whatever else the student sees, a system message or an instruction after the question, the teacher sees as well;
    otherwise the two would differ on tokens that have nothing to do with y⁺.

    Args:
        template: Of the kind ``self_teacher``.
        messages: The student's chat, whose last user message is x; empty where the question is all of it.
        question: For a chat without a user message.
        correct_rollout: y⁺.
    """
    chat, last = _copied_chat(messages, question)
    last["content"] = fill_template(template, question=message_text(last["content"]), correct_rollout=correct_rollout)
    return chat


def asked_again(messages: Sequence[Mapping[str, Any]], question: str, correct_rollout: str) -> list[dict[str, Any]]:
    """The rollouts' own chat, answered with y⁺, and then its question once more (ours).

    What the policy writes then is guided by y⁺ without a word of instruction, so that there is none to speak of.

    Args:
        messages: The chat that the rollouts answer; empty where the question is all of it.
        question: For a chat without a user message.
        correct_rollout: y⁺.
    """
    chat, last = _copied_chat(messages, question)
    return [*chat, {"role": "assistant", "content": correct_rollout}, dict(last)]


def _copied_chat(messages: Sequence[Mapping[str, Any]], question: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A copy of the rollouts' chat, and the user message in it that they answer: the question where there is none."""
    chat = [dict(message) for message in messages]
    last = next((message for message in reversed(chat) if message.get("role") == "user"), None)
    if last is None:
        last = {"role": "user", "content": question}
        chat.append(last)
    return chat, last


def render_prompt(tokenizer: ChatTokenizer, prompt: str, chat_template_kwargs: Mapping[str, Any]) -> list[int]:
    """Token ids of a prompt as the only user message of a chat, ready for the assistant's turn."""
    return render_chat(tokenizer, [{"role": "user", "content": prompt}], chat_template_kwargs)


def render_chat(
    tokenizer: ChatTokenizer, messages: Sequence[Mapping[str, Any]], chat_template_kwargs: Mapping[str, Any]
) -> list[int]:
    """Token ids of a chat, ready for the assistant's turn."""
    chat = chat_text(tokenizer, messages, chat_template_kwargs)
    return tokenizer.encode(chat, add_special_tokens=False)


def chat_text(
    tokenizer: ChatTokenizer, messages: Sequence[Mapping[str, Any]], chat_template_kwargs: Mapping[str, Any]
) -> str:
    """A chat as the model reads it, ready for the assistant's turn."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **chat_template_kwargs)


def question_text(raw_prompt: Sequence[Mapping[str, Any]], extra_info: Mapping[str, Any] | None = None) -> str:
    """The question for the synthesis prompt: ``extra_info.question`` if given, else the last user message."""
    question = (extra_info or {}).get("question")
    if isinstance(question, str) and question.strip():
        return question.strip()
    for message in reversed(list(raw_prompt)):
        if message.get("role") == "user":
            return message_text(message.get("content"))
    return ""


def message_text(content: Any) -> str:
    """The text of a chat message whose content is a string or a list of typed parts."""
    if isinstance(content, str):
        return content.strip()
    parts = [part.get("text") or "" if isinstance(part, Mapping) else str(part) for part in content or []]
    return "\n".join(parts).strip()
