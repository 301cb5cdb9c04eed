"""The cold-start builder's runs: interrupted ones, reused responses, what it reads and writes besides rows."""

import re
import shutil
from pathlib import Path

import pytest
from cold_start_engine import RIGHT, SUFFIX, TAGGED, WRONG, engine
from fake_sampler import FakeSampler, Killed, write_queries

from data_prep import cold_start, zpd_filter
from recipe_tapo.errors import InputError
from recipe_tapo.sampling.requests import Response


def test_a_server_whose_models_name_is_no_tokenizers_needs_one_named(tmp_path):
    write_queries(tmp_path / "train.parquet", ["5"])
    files = ["--input", str(tmp_path / "train.parquet"), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"no tokenizer there .*; name its folder or hub name with --tokenizer"):
        cold_start.main([*files, "--model", str(tmp_path / "served"), "--base_url", "http://localhost:1/v1"])
    assert not (tmp_path / "out").exists()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_killed_at_any_chunk_ends_like_one_that_was_not(build, tmp_path):
    """Two queries a chunk of sampling, eight a chunk of construction: ten and two chunks."""
    plan = [3] * 20

    # By number and seed alone, as an engine would.
    def answer(prompt: str, seed: int) -> str:
        if "# Role" in prompt:
            return TAGGED.replace("the second step", f"seed {seed}")
        return (RIGHT if seed % 2 else WRONG).replace("Step one.", f"Step one ({seed}).")

    sizes = ("--sft_size", "15", "--ift_size", "12", "--fill_up")
    build(FakeSampler(answer), plan, *sizes, name="whole")
    expected = files(tmp_path / "whole")
    assert len(expected) == 7
    for chunk in (0, 1, 9, 19, 20, 22):
        with pytest.raises(Killed):
            build(FakeSampler(answer, die_at_chunk=chunk), plan, *sizes, name=f"cut{chunk}")
        assert not (tmp_path / f"cut{chunk}" / "cold_start.parquet").exists()
        build(FakeSampler(answer), plan, *sizes, name=f"cut{chunk}")
        assert files(tmp_path / f"cut{chunk}") == expected, chunk
    # Another seed, another choice and another order.
    build(FakeSampler(answer), plan, *sizes, "--seed", "1", name="other")
    assert files(tmp_path / "other")["cold_start.parquet"] != expected["cold_start.parquet"]


def test_responses_of_the_zpd_filter_are_reused(build, tmp_path, monkeypatch):
    plan = [3, 4]
    write_queries(tmp_path / "train.parquet", ["5"] * 2, SUFFIX)
    monkeypatch.setattr(zpd_filter, "make_sampler", lambda *_: engine(plan))
    source = ["--input", str(tmp_path / "train.parquet"), "--model", "m"]
    zpd_filter.main([*source, "--output", str(tmp_path / "zpd.parquet")])
    sampler = engine(plan)
    rows, report = build(sampler, plan, "--responses", str(tmp_path / "zpd.responses.jsonl"))
    assert len(rows) == 4
    assert [len(chunk) for chunk in sampler.chunks] == [2]
    assert report["responses"]["kind"] == "responses"
    # The same responses to fewer queries are those of another file.
    write_queries(tmp_path / "train.parquet", ["5"], SUFFIX)
    with pytest.raises(InputError, match="was sampled for other queries"):
        build(sampler, plan, "--responses", str(tmp_path / "zpd.responses.jsonl"), name="other")
    with pytest.raises(InputError, match="no such file"):
        build(sampler, plan, "--responses", str(tmp_path / "none.jsonl"), name="other")


def test_what_failed_is_asked_again_on_demand(build, capsys):
    """Also a construction that had no right response to be made from, since its request had failed."""
    plan = [3, 3]
    works = engine(plan).answer

    def fails(prompt: str, seed: int) -> str | Response:
        return Response(failure="boom") if "# Role" in prompt or "Question 1?" in prompt else works(prompt, seed)

    with pytest.raises(InputError, match=r"not one row, .*; 9 requests failed, --retry_failed sends them again"):
        build(FakeSampler(fails), plan)
    rows, report = build(engine([3, 3]), plan, "--retry_failed")
    assert len(rows) == 4 and report["constructions"]["verified_right"] == 2
    assert "requests failed" not in capsys.readouterr().out.split("wrote")[-1]


@pytest.mark.parametrize(("solved", "reason"), [(8, "no_wrong_response"), (0, "no_right_response")])
def test_responses_that_came_late_are_counted_where_they_allow_no_construction(build, solved, reason):
    works = engine([3, 0]).answer

    def fails(prompt: str, seed: int) -> str | Response:
        return Response(failure="boom") if "Question 1?" in prompt else works(prompt, seed)

    _, report = build(FakeSampler(fails), [3, solved])
    assert report["ineligible"]["no_complete_response"] == 1
    rows, report = build(engine([3, solved]), [3, solved], "--retry_failed", "--fill_up")
    assert report["ineligible"]["no_complete_response"] == 0 and report["ineligible"][reason] == 1
    assert sum(row["fill_up"] for row in rows) == (solved > 0)


def test_a_prompt_of_the_users_own(build, tmp_path):
    template = tmp_path / "mine.txt"
    template.write_text("# Role\n{question} {error_rollout} {correct_rollout}")
    rows, _ = build(engine([3]), [3], "--prompt_path", str(template), "--sft_size", "0")
    assert rows[0]["messages"][0]["content"] == f"# Role\nQuestion 0? {WRONG} {RIGHT}"
    template.write_text("{question}")
    with pytest.raises(InputError, match=r"lacks \{error_rollout\}, \{correct_rollout\}"):
        build(engine([3]), [3], "--prompt_path", str(template))


def test_ten_examples_to_read(build, tmp_path):
    plan = [3] * 12
    build(engine(plan), plan)
    text = (tmp_path / "out" / "examples.md").read_text()
    assert len(re.findall(r"^# \d+\. Gold answer: 5$", text, re.MULTILINE)) == 10
    assert len(set(re.findall(r"Question \d+\?", text))) == 10
    assert "preserved prefix (20 of 29 tokens)" in text
    assert "~~~~~~~~\nStep one. Bad step. \n~~~~~~~~" in text
    assert "~~~~~~~~\nWait. Step two.\nFinal Answer: \\boxed{5}\n~~~~~~~~" in text


def test_bad_folder(build, tmp_path):
    write_queries(tmp_path / "train.parquet", ["5"])
    with pytest.raises(InputError, match="is not a folder; choose another --output_dir"):
        build(engine([3]), [3], name="train.parquet")


THINKING = "{% for m in messages %}{{ m.content }}{% endfor %}{% if thinking is not false %}<think>\n{% endif %}"


def test_a_model_that_thinks_is_warned_of(build, tokenizer, tmp_path, capsys):
    """Before the sampling where its chat template shows it, and else when its responses do."""
    folder = tmp_path / "thinking"
    folder.mkdir()
    shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
    (folder / "chat_template.jinja").write_text(THINKING)
    build(engine([3]), [3])
    assert "warning" not in capsys.readouterr().err
    build(engine([3]), [3], "--tokenizer", str(folder), name="opened")
    assert "the prompt ends in an open <think>: SFT rows would leave" in capsys.readouterr().err
    kwargs = ["--chat_template_kwargs", '{"thinking": false}']
    build(engine([3]), [3], "--tokenizer", str(folder), *kwargs, name="closed")
    assert "warning" not in capsys.readouterr().err
    works = engine([3]).answer

    def thinks(prompt: str, seed: int) -> str:
        return f"Let me see.</think>\n\n{works(prompt, seed)}"

    _, report = build(FakeSampler(thinks), [3], name="thought")
    assert "8 of the first 8 responses contain </think>: SFT rows would leave" in capsys.readouterr().err
    assert report["unfit"] == {"ift/untidy_output": 1}
