"""OPSD on the real engine: the teacher's log-probs are the model's own, and a step trains on them."""

import asyncio
import math
from types import SimpleNamespace

import pytest
import torch
from engine import CHECKPOINT, Run
from omegaconf import OmegaConf

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.cpu.vllm_alias import answer_for_vllm
from recipe_tapo.engine.verl_engine import VerlEngine
from recipe_tapo.sampling.offline import OfflineSampler

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def engine():
    """vLLM in this process, as verl starts it: log-probabilities are those among the tokens that a request allows."""
    answer_for_vllm()  # as in a process of a run on the CPU
    return OfflineSampler(str(CHECKPOINT), {}, 256, logprobs_mode="processed_logprobs")._llm


def test_the_teachers_log_probs_are_those_of_the_model(engine):
    """Guards the alignment: verl returns prompt log-probs shifted by one."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from verl.workers.rollout.vllm_rollout.utils import extract_prompt_logprobs
    from vllm import SamplingParams

    ids = AutoTokenizer.from_pretrained(CHECKPOINT).encode(
        "Compute 9+5*4*2+3 mod 13\n9+5=1\n1*4=4", add_special_tokens=False
    )

    class Client:
        async def generate(self, request_id, *, prompt_ids, sampling_params, priority):
            output = engine.generate([{"prompt_token_ids": prompt_ids}], SamplingParams(**sampling_params))[0]
            fields = {}
            extract_prompt_logprobs(output, sampling_params["prompt_logprobs"], fields)
            return SimpleNamespace(stop_reason="completed", token_ids=[], extra_fields=fields)

    config = OmegaConf.create({"actor_rollout_ref": {"rollout": {"scheduling_policy": "fcfs"}}})
    policy = VerlEngine(SimpleNamespace(llm_client=Client(), config=config), {})
    ours = torch.tensor(asyncio.run(policy.score_tokens(ids)))

    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    with torch.no_grad():
        log_probs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = log_probs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    assert len(ours) == len(ids)
    torch.testing.assert_close(ours[1:], expected, atol=1e-3, rtol=1e-3)


def test_the_odds_of_two_tokens_are_those_of_the_model(engine):
    """Guards what verl reads: the log-probability among the allowed tokens, as ``processed_logprobs`` gives it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from vllm import SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    ids = tokenizer.encode("Compute 9+5*4*2+3 mod 13\n9+5=", add_special_tokens=False)

    class Client:
        async def generate(self, request_id, *, prompt_ids, sampling_params, priority):
            # verl's server asks for the sampled token's alone.
            fields = {**sampling_params, "logprobs": 0 if sampling_params["logprobs"] else None}
            said = engine.generate([{"prompt_token_ids": prompt_ids}], SamplingParams(**fields))[0].outputs[0]
            log_probs = [known[token].logprob for token, known in zip(said.token_ids, said.logprobs, strict=True)]
            return SimpleNamespace(stop_reason="completed", token_ids=said.token_ids, log_probs=log_probs)

    config = OmegaConf.create({"actor_rollout_ref": {"rollout": {"scheduling_policy": "fcfs"}}})
    policy = VerlEngine(SimpleNamespace(llm_client=Client(), config=config), {})
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1]
    one, other = logits.topk(5).indices[[0, 4]].tolist()
    for token, against in ((one, other), (other, one)):
        odds = asyncio.run(policy.odds(ids, token, against))
        assert odds == pytest.approx(float(logits[token] - logits[against]), abs=1e-2)


def test_a_run_trains_on_the_teachers_advantages(tmp_path):
    demo_questions.main(["--output_dir", str(tmp_path), "--train_size", "16", "--val_size", "8"])
    run = Run(tmp_path, "opsd")
    one_step = ("actor_rollout_ref.actor.ppo_mini_batch_size=4", "trainer.total_training_steps=2")
    run.start(tmp_path, "+recipe=[tapo,cpu]", "+arm=opsd", *one_step)
    assert "baseline OPSD is ACTIVE" in run.log()
    for values in run.metrics().values():
        assert 0 < values["tapo/opsd/scored"] == values["tapo/opsd/rollouts"] <= 32
        assert math.isfinite(values["tapo/opsd/kl"]) and values["tapo/opsd/kl"] != 0
        assert values["critic/advantages/min"] < 0 < values["critic/advantages/max"]
        assert values["actor/grad_norm"] > 0
        assert "tapo/attempts" not in values
