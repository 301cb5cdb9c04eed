r"""An engine that answers by a rule.

Question q's eight responses: ``plan[q]`` of them are right, ``Step one. Step two. \boxed{5}``; the others say
``Step one. Bad step. \boxed{6}``.
"""

import re

from fake_sampler import FakeSampler

from recipe_tapo.sampling.requests import Response

RIGHT = "Step one. Step two. \\boxed{5}"


WRONG = "Step one. Bad step. \\boxed{6}"


RECONSTRUCTION = "Step one. Bad step. Wait. Step two.\nFinal Answer: \\boxed{5}"


TAGGED = f"<analysis>\nthe second step\n</analysis>\n<reconstruction>\n{RECONSTRUCTION}\n</reconstruction>"


SUFFIX = "Box it."


def engine(plan: list[int], construct=lambda _: TAGGED, **options) -> FakeSampler:
    """An engine that solves by ``plan`` and constructs by a function of the question's number."""
    asked = [0] * len(plan)

    def answer(prompt: str, _: int) -> str | Response:
        number = int(re.search(r"Question (\d+)\?", prompt).group(1))
        if "# Role" in prompt:
            return construct(number)
        asked[number] += 1
        return RIGHT if asked[number] <= plan[number] else WRONG

    return FakeSampler(answer, **options)
