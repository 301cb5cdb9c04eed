"""What a batch with constructed rows is padded to, against what verl's engines ask of it."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.workers.engine.utils import prepare_micro_batches

from recipe_tapo.engine.update_plan import batch_multiple, num_mini_batch


def config(actor=None, rollout=None, ref=None, megatron=None):
    """The keys of a verl configuration that decide about padding; those not given as in a dynamic FSDP run."""
    strategy = {"strategy": "fsdp2"} if megatron is None else {"strategy": "megatron", "megatron": megatron}
    actor = {"use_dynamic_bsz": True, "ppo_micro_batch_size_per_gpu": None} | (actor or {})
    ref = {"log_prob_use_dynamic_bsz": actor["use_dynamic_bsz"], "log_prob_micro_batch_size_per_gpu": None} | (
        ref or {}
    )
    model = {
        "actor": strategy | actor,
        "rollout": {"log_prob_micro_batch_size_per_gpu": None} | (rollout or {}),
        "ref": strategy | ref,
    }
    return OmegaConf.create({"actor_rollout_ref": model})


REF_OF_5 = {"log_prob_use_dynamic_bsz": False, "log_prob_micro_batch_size_per_gpu": 5}
STATIC = {"use_dynamic_bsz": False, "ppo_micro_batch_size_per_gpu": 6}
VIRTUAL = {"pipeline_model_parallel_size": 4, "virtual_pipeline_model_parallel_size": 2}


@pytest.mark.parametrize(
    ("settings", "own_reference", "expected"),
    [
        ({}, False, 2),  # two ranks and nothing else
        ({"steps": 4}, False, 2 * 4),  # four optimizer steps
        # Fixed micro-batches of 6 in training, of 4 for log-probs: 2 · lcm(6, 4).
        ({"actor": STATIC, "rollout": {"log_prob_micro_batch_size_per_gpu": 4}}, False, 2 * 12),
        # The reference's fixed micro-batches of 5 beside a dynamic actor with two steps: 2 · lcm(2, 5).
        ({"ref": REF_OF_5, "steps": 2}, True, 20),
        # A reference without the actor's sequence parallelism of 2 has 4 ranks: lcm(2, 4 · 5), lcm(2, 4) if dynamic.
        ({"actor": {"ulysses_sequence_parallel_size": 2}, "ref": REF_OF_5}, True, 20),
        ({"actor": {"fsdp_config": {"ulysses_sequence_parallel_size": 2}}}, True, 4),
        # The same settings where nothing uses them: no reference, or LoRA's, which is the actor.
        ({"ref": REF_OF_5}, False, 2),
        # A dynamic reference beside a static actor: its left-over micro-batch size is not used.
        ({"actor": STATIC, "ref": REF_OF_5 | {"log_prob_use_dynamic_bsz": True}}, True, 12),
        # Two stages of a virtual pipeline over four stages: micro-batches in groups of four.
        ({"megatron": VIRTUAL, "steps": 2}, True, 2 * 2 * 4),
        ({"megatron": VIRTUAL, "actor": STATIC}, False, 2 * 6 * 4),
        # The group's size can be set, and a pipeline without virtual stages asks for nothing.
        ({"megatron": VIRTUAL | {"override_transformer_config": {"microbatch_group_size_per_vp_stage": 8}}}, False, 16),
        ({"megatron": VIRTUAL | {"virtual_pipeline_model_parallel_size": None}}, False, 2),
    ],
)  # fmt: skip
def test_the_multiple_by_hand(settings, own_reference, expected):
    steps = settings.get("steps", 1)
    engines = {name: engine for name, engine in settings.items() if name != "steps"}
    assert batch_multiple(config(**engines), 2, own_reference, steps) == expected


@pytest.mark.parametrize(
    ("rollouts", "steps"),
    [
        (8 * 4, 4),  # 8 questions with 4 rollouts each, mini-batches of 2 questions
        (2 * 4, 1),  # a batch of two questions, as separate_async trains four of in a step of eight
        (8 * 4 + 1, 5),  # a session with two outputs: verl pads to the next whole mini-batch
        (4 * 4, 2),  # half of the rollouts failed
        (3, 1),
        (0, 1),
    ],
)
def test_a_batch_takes_grpos_optimizer_steps(rollouts, steps):
    settings = config(actor={"ppo_mini_batch_size": 2}, rollout={"n": 4})
    assert num_mini_batch(settings, rollouts) == steps


maybe = partial(st.one_of, st.none())


@given(
    dynamic=st.booleans(),
    training=st.integers(1, 6),
    old=st.integers(1, 6),
    reference=maybe(st.tuples(st.booleans(), st.integers(1, 6))),
    pipeline=maybe(st.integers(2, 4)),
    steps=st.integers(1, 4),
    ranks=st.integers(1, 3),
    rows=st.integers(1, 40),
    longest=st.integers(1, 9),
)
def test_verl_cuts_every_padded_batch_into_micro_batches(
    dynamic, training, old, reference, pipeline, steps, ranks, rows, longest
):
    """verl's own cutting, with its assertions, of every engine's rows of one rank."""
    static_ref, of_ref = (False, None) if reference is None else (reference[0], reference[1])
    settings = config(
        actor={"use_dynamic_bsz": dynamic, "ppo_micro_batch_size_per_gpu": None if dynamic else training},
        rollout={"log_prob_micro_batch_size_per_gpu": old},
        ref={"log_prob_use_dynamic_bsz": not static_ref, "log_prob_micro_batch_size_per_gpu": of_ref},
        megatron=pipeline and {"pipeline_model_parallel_size": pipeline, "virtual_pipeline_model_parallel_size": 2},
    )
    multiple = batch_multiple(settings, ranks, reference is not None, steps)
    of_rank = math.ceil(rows / multiple) * multiple // ranks

    def cut(count, is_dynamic, micro_batch):
        ids = torch.nested.as_nested_tensor([torch.zeros(1 + i % longest) for i in range(count)], layout=torch.jagged)
        data = TensorDict({"input_ids": ids}, batch_size=count)
        tu.assign_non_tensor(
            data, use_dynamic_bsz=is_dynamic, max_token_len_per_gpu=longest, micro_batch_size_per_gpu=micro_batch
        )
        parts, _ = prepare_micro_batches(data, num_batches_divided_by=pipeline)
        assert pipeline is None or len(parts) % pipeline == 0  # verl's Megatron engine asserts it
        assert sum(len(part) for part in parts) == count

    cut(of_rank // steps, dynamic, training)
    cut(of_rank, dynamic, old)
    if reference is not None:
        cut(of_rank, not static_ref, of_ref)
