"""Chats: what the policy reads beside a prompt of its own, and its text and tokens under the model's template."""

from collections.abc import Mapping, Sequence
from typing import Any

from recipe_tapo.algorithm.prompts import fill_template
from recipe_tapo.algorithm.tokens import ChatTokenizer


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


def opens_thinking(tokenizer: ChatTokenizer, chat_template_kwargs: Mapping[str, Any]) -> bool:
    """Whether the chat template, where there is one, begins the assistant's turn with an open ``<think>``."""
    if not getattr(tokenizer, "chat_template", None):
        return False
    chat = chat_text(tokenizer, [{"role": "user", "content": "?"}], chat_template_kwargs)
    return chat.rstrip().endswith("<think>")


def question_text(raw_prompt: Sequence[Mapping[str, Any]], extra_info: Mapping[str, Any] | None = None) -> str:
    """The question for the synthesis prompt: ``extra_info.question`` if given, else the last user message."""
    question = (extra_info or {}).get("question")
    if isinstance(question, str) and question.strip():
        return question.strip()
    for message in reversed(list(raw_prompt)):
        if message.get("role") == "user":
            return message_text(message.get("content"))
    return ""


def asked_text(question: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """All that the plain prompt of a rollout says: the question and every message."""
    return "\n".join([question, *(message_text(message.get("content")) for message in messages)])


def message_text(content: Any) -> str:
    """The text of a chat message whose content is a string or a list of typed parts."""
    if isinstance(content, str):
        return content.strip()
    parts = [part.get("text") or "" if isinstance(part, Mapping) else str(part) for part in content or []]
    return "\n".join(parts).strip()
