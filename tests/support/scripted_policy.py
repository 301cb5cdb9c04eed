"""A preview's policy without a model: it says what it is told."""

from small_tokenizer import EOS, TOKENIZER, encode

from recipe_tapo.preview.policy import Likelihood
from recipe_tapo.sampling.requests import Sampling

SAMPLING = Sampling(temperature=1.0, top_p=1.0, top_k=-1, max_tokens=200)


class ScriptedPolicy:
    """Answers each prompt with the text of the first marker that the prompt's text holds.

    Args:
        answers: Texts by marker.
        choice: What it chooses.
    """

    max_model_len = 4000

    def __init__(self, answers: dict[str, str], choice: str = "2]."):
        self.answers, self.choice = answers, choice
        self.sampling, self.asked, self.stopped = SAMPLING, [], 0

    async def start(self):
        self.tokenizer, self.stop_ids = TOKENIZER, frozenset({EOS})

    def close(self):
        self.stopped += 1

    async def generate(self, prompt_ids, sampling, seed=None):
        text = TOKENIZER.decode(prompt_ids)
        self.asked.append((text, sampling, seed))
        answer = next(answer for marker, answer in self.answers.items() if marker in text)
        return [*encode(answer), EOS][: sampling.max_tokens]

    async def choose(self, prompt_ids, choices, max_tokens):
        return self.choice

    async def odds(self, prompt_ids, token, other):
        return 0.0

    async def likelihood(self, token_ids, top=20):
        """Each token has half the probability; so has another."""
        return Likelihood([0.0, *[-0.6931] * (len(token_ids) - 1)], [0.0, *[0.6931] * (len(token_ids) - 1)])
