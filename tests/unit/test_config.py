import logging
import pickle
import re
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf, open_dict

from recipe_tapo.algorithm.prompts import PromptTemplateError, fill_template, load_template
from recipe_tapo.config import TapoConfig, TapoConfigError
from recipe_tapo.engine.context_length import set_max_model_len
from recipe_tapo.engine.thinking import warn_of_thinking
from recipe_tapo.engine.verl_config import check_config


def test_defaults_are_the_papers():
    config = TapoConfig()
    assert (config.selection.n_pos, config.selection.n_neg, config.selection.m_max) == (2, 4, 4)
    assert (config.ots.w_min, config.ots.w_max, config.lambda_ref) == (0.01, 10.0, 1.0)
    assert config.advantage.mode == "decoupled"
    assert config.keep_negatives and config.mask == "none" and config.loss_normalization == "per_group"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"selection": {"n_pos": 0}}, "tapo.selection.n_pos=0: must be at least 1; set it to 1 or more"),
        ({"selection": {"m_max": -1}}, "tapo.selection.m_max=-1"),
        ({"selection": {"n_neg": 2.5}}, "tapo.selection.n_neg=2.5: is of type float"),
        ({"selection": {"npos": 2}}, "tapo.selection.npos=2: unknown key; did you mean tapo.selection.n_pos?"),
        ({"selection": 3}, "tapo.selection=3: must be a node"),
        ({"lambda": 1}, "unknown key"),
        ({"lambda_ref": -0.5}, "tapo.lambda_ref=-0.5: is negative"),
        ({"lambda_ref": float("nan")}, "is not finite"),
        ({"enable": "yes"}, "tapo.enable=yes: is of type str"),
        ({"enable": 1}, "tapo.enable=1: is of type int"),
        ({"seed": True}, "tapo.seed=True: is of type bool"),
        ({"seed": "3"}, "tapo.seed=3: is of type str; give a value of type int"),
        ({"seed": None}, "tapo.seed=None: is of type NoneType; give a value of type int"),
        ({"lambda_ref": "1.0"}, "tapo.lambda_ref=1.0: is of type str; give a value of type float"),
        ({"lambda_ref": True}, "tapo.lambda_ref=True: is of type bool; give a value of type float"),
        ({"synthesis": {"top_k": 0}}, "tapo.synthesis.top_k=0: is no rank; use -1 (off) or 1 and up"),
        ({"synthesis": {"temperature": float("inf")}}, "tapo.synthesis.temperature=inf: is not finite"),
        ({"dump_dir": 5}, "tapo.dump_dir=5: is of type int; give a value of type str"),
        ({"max_failed_steps": 0}, "tapo.max_failed_steps=0: must be at least 1; set it to 1 or more"),
        ({"ots": {"w_min": 20}}, "tapo.ots.w_max=10.0: is below tapo.ots.w_min; raise it"),
        ({"opsd": {"prompt_path": "/no/such/file"}}, "tapo.opsd.prompt_path=/no/such/file: cannot read"),
        ({7: 2}, "tapo.7=7: unknown key; known keys: enable, seed"),
        ([1], "tapo=[1]: must be a node with keys; write tapo.<key>=<value>"),
        ({"ots": {"w_min": 2.0, "w_max": 1.0}}, "tapo.ots.w_max=1.0: is below tapo.ots.w_min"),
        ({"ots": {"spare_turn": -1}}, "tapo.ots.spare_turn=-1: is negative; use 0 (off) or more"),
        ({"ots": {"spare_turn": 4, "enable": False}}, "tapo.ots.spare_turn=4: spares nothing without OTS; set it to 0"),
        ({"advantage": {"mode": "mixed"}}, "use one of decoupled, joint, anchored"),
        ({"synthesis": {"timeout_s": 0}}, "tapo.synthesis.timeout_s=0.0: must be positive"),
        ({"synthesis": {"top_p": 0.0}}, "tapo.synthesis.top_p=0.0"),
        ({"synthesis": {"max_tokens": 0}}, "tapo.synthesis.max_tokens=0"),
        ({"synthesis": {"min_prefix_fraction": 1.5}}, "tapo.synthesis.min_prefix_fraction=1.5"),
        ({"synthesis": {"prompt_path": "/no/such/file"}}, "tapo.synthesis.prompt_path=/no/such/file: cannot read"),
        (
            {"synthesis": {"prefix_check": "require", "mode": "full_reconstruction"}},
            "tapo.synthesis.prefix_check=require: full_reconstruction keeps no prefix",
        ),
    ],
)
def test_a_bad_value_gets_one_line_with_key_value_and_remedy(values, message):
    with pytest.raises(TapoConfigError) as error:
        TapoConfig.from_mapping(values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_integer_is_a_fine_float():
    assert TapoConfig.from_mapping({"lambda_ref": 2}).lambda_ref == 2.0


def test_a_missing_node_and_an_empty_one_give_the_defaults():
    assert TapoConfig.from_mapping(None) == TapoConfig.from_mapping({"synthesis": {}}) == TapoConfig()


def test_a_configuration_cannot_be_changed_and_survives_the_way_to_another_process():
    config = TapoConfig.from_mapping({"selection": {"n_pos": 3}})
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1
    assert pickle.loads(pickle.dumps(config)) == config


def verl_config(**overrides):
    config = OmegaConf.create(
        {
            "trainer": {"use_v1": True, "v1": {"trainer_mode": "tapo"}},
            "algorithm": {"adv_estimator": "tapo", "rollout_correction": {"bypass_mode": False}},
            "actor_rollout_ref": {
                "hybrid_engine": True,
                "actor": {"ppo_mini_batch_size": 32},
                "rollout": {
                    "n": 8,
                    "temperature": 1.0,
                    "prompt_length": 100,
                    "response_length": 200,
                    "max_model_len": None,
                    "enable_rollout_routing_replay": False,
                    "agent": {"agent_loop_manager_class": "recipe_tapo.engine.agent_loop.TapoAgentLoopManager"},
                },
            },
            "data": {"train_batch_size": 32},
            "critic": {"enable": None},
            "ray_kwargs": {"ray_init": {"runtime_env": {"env_vars": {"RECIPE_TAPO": "1"}}}},
            "reward": {"reward_model": {"enable": False, "enable_resource_pool": False}},
            "tapo": {},
        }
    )
    for key, value in overrides.items():
        OmegaConf.update(config, key, value)
    return config


def test_a_node_without_keys_is_refused():
    with pytest.raises(TapoConfigError, match="tapo=3: must be a node with keys"):
        check_config(verl_config(tapo=3))


def test_a_sound_configuration_passes():
    assert check_config(verl_config()).enable


class Words:
    def encode(self, text, add_special_tokens=False):
        return text.split()


OVERHEAD = len(fill_template(load_template(), question="", error_rollout="", correct_rollout="").split())
LONGEST = OVERHEAD + 100 + 2 * 200 + 200  # template, question, two rollouts, output


def test_max_model_len_is_derived_from_the_longest_synthesis():
    config = verl_config()
    set_max_model_len(TapoConfig(), config, Words(), model_max_length=100_000)
    assert config.actor_rollout_ref.rollout.max_model_len == LONGEST


def test_opsds_longest_request_is_two_rollouts_behind_its_own_template():
    config, tapo = verl_config(), TapoConfig.from_mapping({"opsd": {"enable": True}})
    set_max_model_len(tapo, config, Words(), model_max_length=100_000)
    overhead = len(fill_template(load_template(mode="self_teacher"), question="", correct_rollout="").split())
    assert config.actor_rollout_ref.rollout.max_model_len == overhead + 100 + 2 * 200 + 1


@pytest.mark.parametrize("locate", ["judge", "teacher", "answer"])
def test_a_locating_prompt_that_is_longer_than_the_synthesis_fits_too(tmp_path, locate):
    (tmp_path / "short.txt").write_text("{question} {correct_rollout}")
    placeholders = "{question} {correct_rollout}" + ("" if locate == "teacher" else " {numbered_steps}")
    (tmp_path / "long.txt").write_text("word " * 50 + placeholders)
    synthesis = {
        **{"mode": "continuation", "locate": locate, "transition": "fixed"},
        **{"prompt_path": str(tmp_path / "short.txt"), "locate_prompt_path": str(tmp_path / "long.txt")},
    }
    config, tapo = verl_config(), TapoConfig.from_mapping({"synthesis": synthesis})
    set_max_model_len(tapo, config, Words(), model_max_length=100_000)
    assert config.actor_rollout_ref.rollout.max_model_len == 50 + 100 + 2 * 200 + 200


def test_a_sibling_as_a_turn_takes_the_question_twice_and_no_synthesis_template(tmp_path):
    (tmp_path / "short.txt").write_text("{question} {correct_rollout} {numbered_steps}")
    synthesis = {"mode": "continuation", "locate_prompt_path": str(tmp_path / "short.txt")}
    config, tapo = verl_config(), TapoConfig.from_mapping({"synthesis": synthesis})
    set_max_model_len(tapo, config, Words(), model_max_length=100_000)
    assert config.actor_rollout_ref.rollout.max_model_len == 2 * 100 + 2 * 200 + 200


class Thinks(Words):
    chat_template = "…"

    def apply_chat_template(self, messages, add_generation_prompt, tokenize, enable_thinking=True):
        return "<|assistant|>" + ("<think>\n" if enable_thinking else "")


@pytest.mark.parametrize(
    ("tapo", "kwargs", "warned"),
    [
        ({}, {}, True),
        ({}, {"enable_thinking": False}, False),
        ({"synthesis": {"mode": "full_reconstruction"}}, None, True),
        ({"synthesis": {"mode": "continuation"}}, {}, False),
        ({"opsd": {"enable": True}}, {}, False),
    ],
)
def test_rewriting_by_a_policy_that_thinks_is_warned_of(caplog, tapo, kwargs, warned):
    caplog.set_level(logging.WARNING)
    config = verl_config()
    with open_dict(config):
        config.data = {"apply_chat_template_kwargs": kwargs}
    warn_of_thinking(TapoConfig.from_mapping(tapo), config, Thinks())
    assert ("opens a <think> block" in caplog.text) == warned
    warn_of_thinking(TapoConfig.from_mapping(tapo), config, Words())  # it has no chat template


def test_the_models_own_limit_caps_what_is_derived():
    config = verl_config()
    set_max_model_len(TapoConfig(), config, Words(), model_max_length=512)
    assert config.actor_rollout_ref.rollout.max_model_len == 512


def test_a_model_that_is_shorter_than_prompt_and_response_keeps_its_own_limit_as_in_verl():
    # verl cuts such responses short, and refuses a max_model_len above the model's.
    config = verl_config()
    set_max_model_len(TapoConfig(), config, Words(), model_max_length=250)
    assert config.actor_rollout_ref.rollout.max_model_len == 250


def test_new_tokens_that_no_row_has_room_for_are_refused():
    with pytest.raises(TapoConfigError, match=r"tapo\.synthesis\.min_new_tokens=201: no row has room"):
        check_config(verl_config(tapo={"synthesis": {"min_new_tokens": 201}}))
    with pytest.raises(TapoConfigError, match=r"tapo\.synthesis\.max_tokens=30: leaves no room .*min_new_tokens=40"):
        check_config(verl_config(tapo={"synthesis": {"max_tokens": 30}}))


def test_the_limit_of_a_multi_modal_model_is_that_of_its_text_model(monkeypatch):
    from transformers import Qwen2_5_VLConfig
    from verl.trainer.ppo.v1.trainer_base import PPOTrainer

    from recipe_tapo.engine import trainer

    nested = Qwen2_5_VLConfig(text_config={"max_position_embeddings": 512})
    assert getattr(nested, "max_position_embeddings", None) is None
    monkeypatch.setattr(PPOTrainer, "_init_tokenizer", lambda self: setattr(self, "tokenizer", Words()))
    monkeypatch.setattr(trainer, "omega_conf_to_dataclass", lambda _: SimpleNamespace(hf_config=nested))
    training = object.__new__(trainer.TapoTrainer)
    training.tapo, training.config = TapoConfig(), verl_config(**{"actor_rollout_ref.model": {}})
    training._init_tokenizer()
    assert training.config.actor_rollout_ref.rollout.max_model_len == 512


def test_a_length_that_fits_no_synthesis_is_refused_and_one_that_fits_some_is_kept():
    least = OVERHEAD + TapoConfig().synthesis.min_new_tokens
    config = verl_config(**{"actor_rollout_ref.rollout.max_model_len": least})
    with pytest.raises(TapoConfigError, match="no synthesis can fit"):
        set_max_model_len(TapoConfig(), config, Words(), model_max_length=100_000)
    for length in (least + 1, LONGEST - 1):  # an output may be shorter than the longest there can be
        config = verl_config(**{"actor_rollout_ref.rollout.max_model_len": length})
        set_max_model_len(TapoConfig(), config, Words(), model_max_length=100_000)
        assert config.actor_rollout_ref.rollout.max_model_len == length


def test_synthesis_samples_like_the_rollout_unless_told_otherwise():
    assert TapoConfig().synthesis.sampling == {} and TapoConfig().synthesis.tries == 1
    cooler = TapoConfig.from_mapping({"synthesis": {"temperature": 0.0, "top_k": -1}})
    assert cooler.synthesis.sampling == {"temperature": 0.0, "top_k": -1}


@pytest.mark.parametrize("unsaid", [{}, {"temperature": None, "tries": None}])
def test_continuation_samples_cooler_and_up_to_three_times(unsaid):
    synthesis = TapoConfig.from_mapping({"synthesis": {"mode": "continuation", **unsaid}}).synthesis
    assert (synthesis.sampling, synthesis.tries) == ({"temperature": 0.7}, 3)
    said = {"mode": "continuation", "temperature": 1.0, "tries": 2}
    synthesis = TapoConfig.from_mapping({"synthesis": said}).synthesis
    assert (synthesis.sampling, synthesis.tries) == ({"temperature": 1.0}, 2)


@pytest.mark.parametrize(
    ("synthesis", "sibling"),
    [
        ({}, "prompt"),
        ({"mode": "continuation"}, "turn"),
        ({"mode": "continuation", "sibling": None, "transition": "fixed"}, "turn"),
        ({"mode": "continuation", "sibling": "prompt"}, "prompt"),
        ({"mode": "continuation", "transition": "own"}, "prompt"),
        ({"mode": "continuation", "prompt_path": "PROMPT"}, "prompt"),
    ],
)
def test_a_sibling_is_a_turn_where_no_prompt_is_needed(tmp_path, synthesis, sibling):
    (tmp_path / "prompt.txt").write_text("{question} {correct_rollout}")
    if "prompt_path" in synthesis:
        synthesis = synthesis | {"prompt_path": str(tmp_path / "prompt.txt")}
    assert TapoConfig.from_mapping({"synthesis": synthesis}).synthesis.sibling == sibling


def test_a_file_of_phrases_that_nothing_reads_is_refused():
    synthesis = {"mode": "continuation", "transition": "own", "transitions_path": __file__}
    with pytest.raises(TapoConfigError, match=r"is not read with tapo\.synthesis\.transition=own; set it to null"):
        TapoConfig.from_mapping({"synthesis": synthesis})


@pytest.mark.parametrize(
    ("synthesis", "says"),
    [
        ({}, "is a way of continuation, and tapo.synthesis.mode is micro_reflective"),
        ({"mode": "continuation", "transition": "own"}, "leaves no place to ask for tapo.synthesis.transition=own"),
        (
            {"mode": "continuation", "prompt_path": __file__},
            "shows no prompt, and tapo.synthesis.prompt_path names one",
        ),
    ],
)
def test_a_turn_shows_no_prompt(synthesis, says):
    with pytest.raises(TapoConfigError, match=re.escape(f"tapo.synthesis.sibling=turn: {says}; set it to prompt")):
        TapoConfig.from_mapping({"synthesis": {"sibling": "turn", **synthesis}})


def test_a_greedy_synthesis_is_tried_once():
    for greedy in ({"temperature": 0.0}, {"top_k": 1}):
        for mode in ("micro_reflective", "continuation"):
            assert TapoConfig.from_mapping({"synthesis": {"mode": mode, **greedy}}).synthesis.tries == 1
        with pytest.raises(TapoConfigError, match=r"tapo\.synthesis\.tries=2: asks anew for what is always the same"):
            TapoConfig.from_mapping({"synthesis": {**greedy, "tries": 2}})


def test_a_template_of_the_users_own_must_hold_every_placeholder(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("{question} {error_rollout}")
    with pytest.raises(PromptTemplateError, match=r"lacks \{correct_rollout\}"):
        load_template(path)


@pytest.mark.parametrize(
    ("section", "values", "name", "template", "unfilled"),
    [
        ("synthesis", {"mode": "micro_reflective"}, "prompt_path", "{error_rollout} {wrong_step}", "wrong_step"),
        ("synthesis", {"mode": "full_reconstruction"}, "prompt_path", "{error_rollout} {wrong_step}", "wrong_step"),
        ("synthesis", {"mode": "continuation"}, "prompt_path", "{wrong_step} {error_rollout}", "error_rollout"),
        ("synthesis", {"locate": "judge"}, "locate_prompt_path", "{numbered_steps} {wrong_step}", "wrong_step"),
        ("synthesis", {"locate": "teacher"}, "locate_prompt_path", "{numbered_steps}", "numbered_steps"),
        ("opsd", {"enable": True}, "prompt_path", "{error_rollout}", "error_rollout"),
    ],
)
def test_a_placeholder_that_a_mode_does_not_fill_is_refused_at_the_start(
    section, values, name, template, unfilled, tmp_path
):
    path = tmp_path / "prompt.txt"
    path.write_text("{question} {correct_rollout} {answer} " + template)
    with pytest.raises(TapoConfigError) as error:
        TapoConfig.from_mapping({section: {**values, name: str(path)}})
    assert str(error.value).startswith(f"tapo.{section}.{name}={path}: the ")
    assert f" prompt {path} has {{{unfilled}}}, which nothing fills there; take it out" in str(error.value)


def test_braces_inside_the_inserted_texts_stay_as_they_are():
    filled = fill_template(
        "{question}|{error_rollout}|{correct_rollout}|\\boxed{answer}",
        question="{correct_rollout}",
        error_rollout="\\frac{1}{2}\\1",
        correct_rollout="{}",
    )
    assert filled == "{correct_rollout}|\\frac{1}{2}\\1|{}|\\boxed{answer}"


@pytest.mark.parametrize(
    ("synthesis", "checks"),
    [
        ({}, False),
        ({"mode": "continuation"}, True),
        ({"mode": "continuation", "answer_check": False}, False),
        ({"answer_check": True}, True),
    ],
)
def test_answers_before_reasons_are_looked_for_in_continuation_or_where_asked(synthesis, checks):
    assert TapoConfig.from_mapping({"synthesis": synthesis}).synthesis.answer_check is checks
