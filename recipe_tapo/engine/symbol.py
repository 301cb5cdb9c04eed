"""A name in somebody else's code that TAPO relies on, and how to see whether it is still what it was."""

import importlib
import inspect
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Symbol:
    """A name in verl or a library beside it, and the parameters it must accept.

    Attributes:
        path: ``module:attribute[.attribute]``; Ray actor classes are looked into.
        parameters: Names that must be among its parameters; empty where any will do.
        source: Words that its source must hold, for a convention that no signature shows; empty for none.
    """

    path: str
    parameters: tuple[str, ...] = ()
    source: str = ""

    @property
    def module(self) -> str:
        """The module that holds it."""
        return self.path.partition(":")[0]

    def problem(self) -> str | None:
        """What is wrong with this symbol in the installed verl, or None."""
        attributes = self.path.partition(":")[2]
        try:
            value: Any = importlib.import_module(self.module)
            for name in attributes.split("."):
                value = getattr(value, name)
                if hasattr(value, "__ray_metadata__"):
                    value = value.__ray_metadata__.modified_class.__ray_actor_class__
        except (ImportError, AttributeError) as error:
            return f"is gone: {error}"
        if self.source and self.source not in inspect.getsource(inspect.unwrap(value)):
            return f"no longer says {self.source}"
        if not self.parameters:
            return None
        accepted = inspect.signature(inspect.unwrap(value)).parameters
        missing = [name for name in self.parameters if name not in accepted]
        return f"no longer takes {', '.join(missing)}" if missing else None
