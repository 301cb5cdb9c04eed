"""What is wrong with a configuration, in one line: the key, the value, the problem, the remedy."""

import difflib
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError


class TapoConfigError(ValueError):
    """A configuration that must not start: the message names the key, the value and the remedy."""


def refuse(key: str, value: Any, problem: str, remedy: str) -> TapoConfigError:
    """Builds the one-line error every bad value gets."""
    return TapoConfigError(f"{key}={value}: {problem}; {remedy}")


def bad(value: Any, problem: str, remedy: str, *name: str) -> PydanticCustomError:
    """What a validator raises; ``one_line`` reads it.

    Args:
        value: The value.
        problem: What is wrong with it.
        remedy: What to do.
        *name: The key below the node that is validated.
    """
    return PydanticCustomError("tapo", "", {"value": value, "problem": problem, "remedy": remedy, "name": name})


_TYPES = {"int_type": "int", "float_type": "float", "bool_type": "bool", "string_type": "str"}


def one_line(error: ErrorDetails, root: type[BaseModel]) -> TapoConfigError:
    """pydantic's error as ours: the key, the value, what is wrong, what to do."""
    location, value, context = ("tapo", *map(str, error["loc"])), error["input"], error.get("ctx", {})
    problem, remedy = error["msg"], "give another value"
    match error["type"]:
        case "tapo":
            value, problem, remedy = context["value"], context["problem"], context["remedy"]
            location += context["name"]
        case "extra_forbidden" | "invalid_key":
            problem, remedy = "unknown key", _known_keys(location, root)
        case "literal_error":
            choices = context["expected"].replace(" or ", ", ").replace("'", "")
            problem, remedy = "is no choice", f"use one of {choices}"
        case "model_type":
            problem, remedy = "must be a node with keys", f"write {'.'.join(location)}.<key>=<value>"
        case "finite_number":
            problem, remedy = "is not finite", "give a finite number"
        case kind if kind in _TYPES:
            problem, remedy = f"is of type {type(value).__name__}", f"give a value of type {_TYPES[kind]}"
    return refuse(".".join(location), value, problem, remedy)


def _known_keys(location: tuple[str, ...], root: type[BaseModel]) -> str:
    node: Any = root
    for name in location[1:-1]:
        node = node.model_fields[name].annotation
    close = difflib.get_close_matches(location[-1], node.model_fields, n=1)
    return (
        f"did you mean {'.'.join([*location[:-1], *close])}?"
        if close
        else f"known keys: {', '.join(node.model_fields)}"
    )
