"""``tapo reflect``: against a server in this process that answers well, badly or not at all."""

import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from judging_cases import completion, judge_server, verdict_json, write_evaluation

from examples.arithmetic.problems import ChainProblem, is_right, random_problem
from examples.arithmetic.step_judge import find_reflections, judge
from examples.cpu_demo.teacher import Teacher
from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.reflection.cache import VerdictCache
from recipe_tapo.reflection.verdict import Case, Malformed, Outcome, parse_verdict

ROOT = Path(__file__).resolve().parents[3]
DEMO_JUDGE = "examples.arithmetic.step_judge:judge"
TRUE_VERDICTS = {
    "direct": verdict_json(),
    "mended": verdict_json("yes", "yes", "yes", "yes"),
    "vain": verdict_json("yes", "yes", "no", "no"),
}


def said(prompt):
    """The response inside a judge prompt."""
    return prompt.rsplit("# Solution to be judged\n", 1)[1].split(" #")[0]


def truthful(prompt, _):
    return 200, completion(TRUE_VERDICTS[said(prompt)])


@pytest.fixture
def folders(tmp_path):
    """Two models on one problem, with six different responses between them: both have ``direct #3``."""
    texts = [("direct", True), ("mended", True), ("vain", False), ("direct", False)]
    first = {("b", 0): [(f"{kind} #{n}", right) for n, (kind, right) in enumerate(texts)]}
    second = {("b", 0): [(f"{kind} #{n}", right) for n, (kind, right) in enumerate(texts[:3], start=3)]}
    return [str(write_evaluation(tmp_path / name, given)) for name, given in (("a", first), ("b", second))]


def run(folders, output, url=None, *options):
    judge = ["--judge_url", url, "--judge_model", "judge", "--retries", "0"] if url else []
    tapo.run(["reflect", *folders, "--output", str(output), *judge, *options])
    return json.loads((output / "reflection.json").read_text())


def test_numbers_verdicts_and_cache_of_a_truthful_judge(folders, tmp_path, capsys):
    with judge_server(truthful) as server:
        results = run(folders, tmp_path / "out", server.url)
        assert len(server.requests) == 6
        again = run(folders, tmp_path / "out", server.url)
        assert len(server.requests) == 6  # all from the cache
    assert again == results
    part = results["pairs"][0]["benchmarks"]["b"]
    # Both: two right, one of them direct; two reflecting, one of them effective.
    for model in (0, 1):
        assert (part["dsr"][model]["value"], part["dsr"][model]["responses"]) == (0.5, 2)
        assert (part["err"][model]["value"], part["err"][model]["responses"]) == (0.5, 2)
    assert results["verdicts"]["a"]["verdicts"] == 4 and results["verdicts"]["b"]["verdicts"] == 3
    rows = [json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()]
    assert [(row["model"], row["sample"]) for row in rows] == [("a", n) for n in range(4)] + [
        ("b", n) for n in range(3)
    ]
    assert rows[1]["verdict"] == json.loads(TRUE_VERDICTS["mended"])
    assert "one problem" in capsys.readouterr().out
    request = server.requests[0]
    assert request["temperature"] == 0 and request["response_format"]["type"] == "json_schema"
    assert request["response_format"]["json_schema"]["schema"]["additionalProperties"] is False


def test_equal_responses_to_a_question_are_judged_once(tmp_path):
    given = {("b", 0): [("direct", True)] * 3 + [("vain", False)] * 2}
    folders = [str(write_evaluation(tmp_path / name, given)) for name in "ab"]
    with judge_server(truthful) as server:
        results = run(folders, tmp_path / "out", server.url)
    assert len(server.requests) == 2
    assert results["verdicts"]["a"]["verdicts"] == 5


def test_unsure_malformed_refused_and_failed_answers_are_counted_and_not_guessed(folders, tmp_path, capsys):
    answers = {
        "direct #0": (200, completion(verdict_json("unsure", "unsure", "unsure", "unsure"))),
        "mended #1": (200, completion("Sure! It reflects.")),
        "vain #2": (200, completion(None, refusal="I cannot help with that.")),
        "direct #3": (500, {"error": {"message": "out of memory"}}),
        "mended #4": (200, completion(verdict_json("yes"), finish_reason="length")),
        "vain #5": (200, "<html>proxy error</html>"),
    }

    def behave(prompt, _):
        text = prompt.rsplit("\n", 1)[1]
        return answers.get(text) or truthful(prompt, _)

    with judge_server(behave) as server:
        results = run(folders, tmp_path / "out", server.url)
        asked = len(server.requests)
        answers = {}
        healed = run(folders, tmp_path / "out", server.url)
        # Failed requests are asked again; verdicts and malformed ones are not.
        assert 0 < len(server.requests) - asked < asked
        full = run(folders, tmp_path / "out", server.url, "--retry_malformed")

    counts = results["verdicts"]
    assert counts["a"] == {
        "responses": 4,
        "verdicts": 1,
        "unsure": 1,
        "contradicts_grader": 0,
        "no_json": 1,
        "refused": 1,
        "request_failed": 1,
    }
    part = results["pairs"][0]["benchmarks"]["b"]
    assert part["dsr"][0]["value"] is None and part["dsr"][0]["undecided"] == 2
    assert "decided" in part["dsr"][0]["note"]
    assert healed["verdicts"]["a"]["verdicts"] == 2
    # #0 stays unsure: that is a verdict.
    assert (full["verdicts"]["a"]["verdicts"], full["verdicts"]["a"]["unsure"]) == (4, 1)
    assert "run the same command again" in capsys.readouterr().out


def test_requests_that_fail_again_and_again_do_not_stop_a_run_with_verdicts(folders, tmp_path, capsys):
    def behave(prompt, _):
        return (500, {}) if prompt.endswith("direct #3") else truthful(prompt, _)

    with judge_server(behave) as server:
        first = run(folders, tmp_path / "out", server.url)
        assert run(folders, tmp_path / "out", server.url) == first
    assert first["verdicts"]["a"]["request_failed"] == 1
    assert capsys.readouterr().out.count("1 requests to the judge failed") == 2


def exit_code(folders, output, url, *options):
    with pytest.raises(SystemExit) as end:
        run_command(lambda: run(folders, output, url, *options))
    return end.value.code


def test_a_server_that_dies_costs_nothing_that_came_before(folders, tmp_path, capsys):
    def dies(prompt, number):
        return truthful(prompt, number) if number <= 3 else (401, {"error": {"message": "key revoked"}})

    with judge_server(dies) as server:
        assert exit_code(folders, tmp_path / "out", server.url, "--concurrency", "1") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "key revoked" in error and "3 verdicts are safe" in error
    with judge_server(truthful) as server:
        run(folders, tmp_path / "out", server.url)
        assert len(server.requests) == 6 - 3


def test_a_run_that_is_killed_goes_on_where_it_stopped_and_ends_alike(tmp_path):
    given = {("b", n): [(f"{kind} #{n}.{s}", s < 2) for s, kind in enumerate(TRUE_VERDICTS)] for n in range(10)}
    folders = [str(write_evaluation(tmp_path / name, given)) for name in "ab"]

    def slow(prompt, number):
        time.sleep(0.05)
        return truthful(prompt, number)

    with judge_server(slow) as server:
        whole = run(folders, tmp_path / "whole", server.url)
        asked = len(server.requests)
        assert asked == 30
        for stop in (1, 16):
            out = tmp_path / f"killed-{stop}"
            command = [sys.executable, "-m", "recipe_tapo", "reflect", *folders, "--output", str(out)]
            command += ["--judge_url", server.url, "--judge_model", "judge", "--concurrency", "2"]
            with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
                cache = out / "judge_cache.jsonl"
                while not (cache.exists() and cache.read_bytes().count(b"\n") >= stop):
                    time.sleep(0.01)
                process.kill()
            kept = cache.read_bytes().count(b"\n")
            assert stop <= kept < 30
            before = len(server.requests)
            assert run(folders, out, server.url) == whole
            assert len(server.requests) - before == 30 - kept


def test_no_server_at_all_and_nothing_but_garbage_are_one_clear_line_and_exit_code_2(folders, tmp_path, capsys):
    assert exit_code(folders, tmp_path / "out", "http://127.0.0.1:9/v1") == 2
    assert "http://127.0.0.1:9/v1" in capsys.readouterr().err.splitlines()[-1]
    for answer in ((200, completion("no idea")), (500, {}), (200, "not json"), (200, {"status": "ok"})):
        with judge_server(lambda *_, answer=answer: answer) as server:
            assert exit_code(folders, tmp_path / "out", server.url, "--retry_malformed") == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: the judge gave no verdict in 6 answers")
    assert not (tmp_path / "out" / "reflection.json").exists()


def test_garbage_is_given_up_early(tmp_path):
    given = {("b", 0): [(f"text {n}", n % 2 == 0) for n in range(500)]}
    folders = [str(write_evaluation(tmp_path / name, given)) for name in "ab"]
    with judge_server(lambda *_: (200, completion("?"))) as server:
        with pytest.raises(InputError, match="no verdict in 32 answers"):
            run(folders, tmp_path / "out", server.url, "--concurrency", "4")
        assert len(server.requests) < 60


def test_a_half_written_cache_line_is_passed_over_and_does_not_swallow_the_next(tmp_path):
    path = tmp_path / "cache.jsonl"
    one, two, three = (Case("q", "4", text) for text in ("one", "two", "three"))
    good = parse_verdict(TRUE_VERDICTS["vain"])
    with VerdictCache(path, "judge") as cache:
        cache.remember(one, good)
    path.write_bytes(path.read_bytes() + b'{"judge": "judge", "case": "two", "ver')
    with VerdictCache(path, "judge") as cache:
        assert (cache.recall(one), cache.recall(two)) == (good, None)
        cache.remember(three, Outcome(malformed=Malformed.REFUSED, output="no"))
        with pytest.raises(InputError, match="another process"):
            VerdictCache(path, "judge")
    with VerdictCache(path, "judge") as cache:
        assert cache.recall(one) == good and cache.recall(three).malformed is Malformed.REFUSED
    with VerdictCache(path, "another judge") as cache:
        assert cache.recall(one) is None


@pytest.mark.parametrize(
    "options, message",
    [
        ((), "who judges"),
        (("--judge", DEMO_JUDGE, "--judge_model", "m"), "leave out"),
        (("--judge", "examples.arithmetic.step_judge:none"), "none"),
        (("--judge", "no_such_module:judge"), "no_such_module"),
        (("--judge", "judge"), "package.module:name"),
        # The questions of this test are none of the arithmetic task.
        (("--judge", DEMO_JUDGE), "not a question of this task"),
        (("--judge_url", "http://x/v1", "--judge_model", "m", "--judge_options", "[]"), "no json object"),
        (("--judge_temperature", "nan"), "nan is no temperature"),
        (("--timeout", "-1"), "-1 is not above 0"),
    ],
)
def test_bad_flags_end_with_one_line_and_exit_code_2(folders, tmp_path, capsys, options, message):
    assert exit_code(folders, tmp_path / "out", None, *options) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


# --- the arithmetic task's own judge ---

# 2+3=5, 5*2=10, 10+4=1, 1*3=3 (mod 13)
PROBLEM = ChainProblem(2, (("+", 3), ("*", 2), ("+", 4), ("*", 3)))
WAIT = "Wait, let me double-check."


@pytest.mark.parametrize(
    "lines, answers",
    [
        # no reflection, right and wrong
        (["2+3=5", "5*2=10", "10+4=1", "1*3=3", "3"], "no no no no"),
        (["2+3=5", "5*2=9", "9+4=0", "0*3=0", "0"], "no no no no"),
        # a slip, found and mended
        (["2+3=5", "5*2=9", WAIT, "5*2=10", "10+4=1", "1*3=3", "3"], "yes yes yes yes"),
        # found, but replaced by another wrong value
        (["2+3=5", "5*2=9", WAIT, "5*2=8", "8+4=12", "12*3=10", "10"], "yes yes no no"),
        # found and mended, another slip later
        (["2+3=5", "5*2=9", WAIT, "5*2=10", "10+4=2", "2*3=6", "6"], "yes yes yes no"),
        # a false alarm
        (["2+3=5", WAIT, "2+3=5", "5*2=10", "10+4=1", "1*3=3", "3"], "yes no no no"),
        # the slip is in the second line; doubting the third, which follows from it, locates nothing
        (["2+3=5", "5*2=9", "9+4=0", WAIT, "9+4=0", "0*3=0", "0"], "yes no no no"),
        # two reflections in a row go back two lines
        (["2+3=5", "5*2=9", "9+4=0", WAIT, WAIT, "5*2=10", "10+4=1", "1*3=3", "3"], "yes yes yes yes"),
        # a reflection at the end, or at the start, of which nothing follows
        (["2+3=5", "5*2=9", WAIT], "yes yes no no"),
        ([WAIT, "2+3=5", "5*2=10", "10+4=1", "1*3=3", "3"], "yes no no no"),
        # lines that are no steps
        (["two and three is five", WAIT, "2+3=5", "5*2=10", "10+4=1", "1*3=3", "3"], "yes yes yes yes"),
        ([""], "no no no no"),
    ],
)
def test_the_rule_based_judge_knows_the_true_steps(lines, answers):
    *steps, last = lines
    text = "\n".join([*steps, f"Final Answer: \\boxed{{{last}}}" if last.isdigit() else last])
    verdict = parse_verdict(json.dumps(judge(PROBLEM.question, "3", text))).verdict
    assert verdict is not None
    given = [verdict.reflection_attempted, verdict.error_located, verdict.error_diagnosed, verdict.led_to_right_answer]
    assert " ".join(given) == answers
    assert bool(verdict.evidence) == (verdict.reflection_attempted == "yes")


def test_the_judge_reads_quotients_and_tries_that_fail_again():
    # 9/5 = 8, 8*4 = 1 (mod 31): the first try fails and so does the second, the third is right.
    question = "Compute 9/5*4 mod 31"
    tries = ["9/5=6 6*5=30 no", WAIT, "9/5=3 3*5=15 no", WAIT, "9/5=8 8*5=9 ok"]
    text = "\n".join([*tries, "8*4=1", "Final Answer: \\boxed{1}"])
    problem = ChainProblem.parse(question)
    assert [(r.located, r.diagnosed) for r in find_reflections(problem, text)] == [(True, False), (True, True)]
    assert judge(question, "1", text)["led_to_right_answer"] == "yes"
    # What follows from a wrong quotient is no mistake of its own.
    text = "\n".join(["9/5=6 6*5=30 no", "6*4=24", WAIT, "6*4=24", "Final Answer: \\boxed{24}"])
    assert [(r.located, r.diagnosed) for r in find_reflections(problem, text)] == [(False, False)]


def test_what_the_teacher_mends_is_located_and_diagnosed_and_its_false_alarms_are_not():
    # Teacher.solve appends the reflection and the right line after a slip, or after a right line as a false alarm.
    teacher, rng, seen = Teacher(false_alarm=0.2), random.Random(0), set()
    for _ in range(300):
        problem = random_problem(rng)
        solution = teacher.solve(problem, rng)
        pairs = re.findall(rf"^(.*)\n{re.escape(WAIT)}\n(.*)$", solution, re.MULTILINE)
        reflections = find_reflections(problem, solution)
        assert [r.located for r in reflections] == [before != after for before, after in pairs]
        assert all(r.diagnosed == r.located for r in reflections)
        led = judge(problem.question, str(problem.answer), solution)["led_to_right_answer"] == "yes"
        assert led == (is_right(problem, solution) and any(r.located for r in reflections))
        seen.add((bool(reflections), led))
    assert len(seen) == 3  # without reflection, led to the right answer, and neither


def test_the_whole_path_offline_and_how_well_a_judge_model_agrees(tmp_path, capsys):
    teacher, rng = Teacher(), random.Random(1)
    problems = [random_problem(rng) for _ in range(6)]
    folders = []
    for name in "ab":
        given = {
            ("arithmetic", n): [
                (text, is_right(problem, text)) for text in (teacher.solve(problem, rng) for _ in range(12))
            ]
            for n, problem in enumerate(problems)
        }
        folder = write_evaluation(tmp_path / name, given, question=lambda _, n: problems[n].question)
        folders.append(str(folder))
    by_rules = run(folders, tmp_path / "rules", None, "--judge", DEMO_JUDGE)
    part = by_rules["pairs"][0]["benchmarks"]["arithmetic"]
    assert part["boundary_problems"] > 2
    assert 0 < part["dsr"][0]["low"] <= part["dsr"][0]["value"] <= part["dsr"][0]["high"] <= 1
    assert part["err"][0]["responses"] > 0 and part["err"][0]["undecided"] == 0

    def superficial(prompt, _):
        """Takes every "Wait" for a reflection that works."""
        return 200, completion(verdict_json(*["yes"] * 4) if WAIT in prompt else verdict_json())

    with judge_server(superficial) as server:
        results = run(folders, tmp_path / "model", server.url, "--agreement", DEMO_JUDGE)
    agreement = results["agreement"]
    assert agreement["reflection_attempted"]["kappa"] == 1
    assert set(agreement["error_located"]["confusion"]) <= {"yes -> yes", "no -> yes"}
    assert agreement["effective_reflection"]["agree"] < 1
    # Reflections are recognised alike, so the direct solutions are the same.
    assert results["pairs"][0]["benchmarks"]["arithmetic"]["dsr"] == part["dsr"]
    assert "Cohen" in capsys.readouterr().out
