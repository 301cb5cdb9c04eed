r"""The grader: verdicts, the time limit, and the places it must work in."""

import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grading_cases import HOSTILE, RIGHT, WRONG
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.cli.main import run as tapo
from recipe_tapo.errors import InputError
from recipe_tapo.grading import MAX_ANSWER_CHARS, grade
from recipe_tapo.grading.batch import score_all
from recipe_tapo.grading.extract import extract_answer
from recipe_tapo.grading.normalise import clean
from recipe_tapo.grading.pool import GraderUnavailable, Pool, WorkerDied, shared_pool
from recipe_tapo.grading.quick import quick_verdict
from recipe_tapo.grading.values.identity import closed
from recipe_tapo.reward import compute_score

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "tests" / "data" / "grading_golds.jsonl"
KEYS = {"score", "acc", "pred", "timed_out", "grader_died"}
# Nothing in this process can tell its value, and sympy never finishes.
ENDLESS = r"\sqrt{9^{9^{9^9}}}"


@pytest.fixture(scope="module", autouse=True)
def grading_process():
    """Imports sympy and mpmath first, so that no test measures them; leaves no process behind."""
    assert algebra(1) == 1.0
    assert score(r"\sqrt{3}", r"\sqrt{2}") == 0.0
    yield
    shared_pool().close()


def score(answer: str, gold: str, **kwargs) -> float:
    return compute_score("test", f"We get \\boxed{{{answer}}}.", gold, **kwargs)["score"]


def algebra(number: int) -> float:
    """Grades a right answer that only math-verify can recognise; another one for each number."""
    return score(integral(number), f"{number**2}")


def integral(limit: int) -> str:
    return rf"\int_0^{{{limit}}} 2x\,dx"


def benchmark_golds(name: str) -> list[str]:
    if SHARED.is_dir():
        return [json.loads(line)["answer"] for line in (SHARED / f"{name}.jsonl").read_text().splitlines()]
    return sample_golds(name)


def sample_golds(name: str) -> list[str]:
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    return [row["answer"] for row in rows if row["file"] == name]


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_right(gold, answer):
    assert score(answer, gold) == 1.0


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_wrong(gold, answer):
    assert score(answer, gold) == 0.0


@pytest.mark.parametrize("name", ["aime_2024", "aime_2025", "hmmt_feb_2025"])
def test_benchmark_golds_verify_against_themselves(name):
    golds = benchmark_golds(name)
    assert len(golds) == 30 or not SHARED.is_dir()
    for gold in golds:
        assert score(gold, gold) == 1.0, gold
        # Without the comparison of spellings: math-verify must be able to read the gold.
        assert grade(gold, gold, quick=False).right, gold


def test_benchmark_golds_differ_from_each_other():
    golds = sorted({gold.lstrip("0") for gold in benchmark_golds("hmmt_feb_2025")})
    for gold, other in zip(golds, golds[1:] + golds[:1], strict=True):
        assert score(other, gold) == 0.0, (gold, other)


def test_as_many_comparisons_are_under_way_as_there_are_threads(monkeypatch):
    class Waiting:
        """Answers when six are asked at the same time."""

        together = threading.Barrier(6)

        def ask(self, question, limit):
            self.together.wait(timeout=20)
            return {"equal": True}

        def alive(self):
            return True

        def stop(self):
            pass

    pool = Pool(4)
    monkeypatch.setattr("recipe_tapo.grading.pool._Worker", Waiting)
    for module in ("recipe_tapo.grading", "recipe_tapo.grading.batch"):
        monkeypatch.setattr(f"{module}.shared_pool", lambda: pool)
    pairs = [(rf"\boxed{{{integral(1000 + number)}}}", f"{(1000 + number) ** 2}") for number in range(6)]
    assert [found["score"] for found in score_all(pairs, threads=6)] == [1.0] * 6


def test_deepscaler_golds_are_readable():
    if SHARED.is_dir():
        rows = json.loads((SHARED / "deepscaler_math.json").read_text())
        golds = sorted({row["answer"] for row in rows if isinstance(row["answer"], str) and row["answer"].strip()})
        golds = random.Random(0).sample(golds, 300)
    else:
        golds = sample_golds("deepscaler_math")
    with ThreadPoolExecutor(2) as threads:
        readable = list(threads.map(lambda gold: grade(gold, gold, quick=False).right, golds))
    assert [gold for gold, ok in zip(golds, readable, strict=True) if not ok] == []


def test_values_agree_with_algebra():
    """What quick verdicts say of two closed expressions, math-verify says too."""
    golds = benchmark_golds("hmmt_feb_2025") + sample_golds("deepscaler_math")
    pairs = list(zip(golds, golds[7:] + golds[:7], strict=True)) + list(zip(golds, golds, strict=True))
    compared = 0
    for gold, answer in pairs:
        spelled = answer.replace("\\frac", "\\dfrac").replace(" ", "") + "+0"
        if closed(clean(gold)) and closed(clean(spelled)):
            quick, algebra = grade(gold, spelled), grade(gold, spelled, quick=False)
            assert quick == algebra, (gold, spelled)
            compared += 1
    assert compared > len(pairs) / 2


def test_a_number_against_a_tuple_needs_no_algebra():
    assert quick_verdict("27", r"(-\sqrt{3},3)") is False
    assert quick_verdict(r"[0,\pi]", r"\frac{9}{\sqrt{23}}") is False
    # Thousands in parentheses and a set of equal values are numbers.
    assert quick_verdict("1234", "(1,234)") is True
    assert quick_verdict("5", r"\{5,\sqrt{25}\}") is True
    assert quick_verdict("x", "(1,2)") is False


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_integers_in_many_spellings(number, offset):
    for text in (f"{number}", f"{number:,}", f"{number}.0", f"${number}$", f"x={number}", f"{number}\\text{{ cm}}"):
        assert score(text, f"{number}") == 1.0
        assert score(text, f"{number + offset}") == 0.0


@given(st.fractions(max_denominator=10**6))
def test_fractions_in_many_spellings(number):
    numerator, denominator = number.numerator, number.denominator
    for text in (f"\\frac{{{numerator}}}{{{denominator}}}", f"\\dfrac{{{2 * numerator}}}{{{2 * denominator}}}"):
        assert score(text, f"{numerator}/{denominator}") == 1.0
        assert score(text, f"{numerator + 1}/{denominator}") == 0.0


# --- finding the answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{12}", "12"),
        (r"\boxed{1} no, \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {12}", "12"),
        (r"\fbox{12}", "12"),
        (r"\\boxed{12}", "12"),
        (r"\boxed{ 12 }", "12"),
        (r"\boxed{\boxed{12}}", "12"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\left\{1,2\right.} done", r"\left\{1,2\right."),
        (r"\boxed{\begin{pmatrix}1\\2\\\end{pmatrix}}", r"\begin{pmatrix}1\\2\\\end{pmatrix}"),
        (r"\boxed{7} and then \boxed{8", "7"),
        (r"\boxed{7} and then \boxed", "7"),
        (r"} \boxed{7} {", "7"),
        (r"\boxed{}", ""),
        (r"\boxed{3} Final Answer: 4", "3"),
        ("Final Answer: 12", "12"),
        ("**Final Answer:** 12.", "12"),
        ("Final Answer: 11\nFinal Answer: 12\nbye", "12"),
        ("final answer: $12$", "12"),
        (r"Final Answer: \(12\)", "12"),
        ("Final Answer:\n\n12\n", "12"),
        ("Final Answer:\n$$12$$", "12"),
        ("Final Answer: The final answer is $12$. I hope it is correct.", "12"),
        ("The final answer is: 12", "12"),
        ("Final Answer: the answer is 12", "12"),
        ("Final Answer: $x=2$ and $x=3$", "x=2, x=3"),
        (r"Final Answer: 25 $\text{cm}$", r"25 $\text{cm}$"),
        (r"Final Answer: \boxed{12}", "12"),
        ("So 12.\n#### 12", "12"),
        ("#### $1,200.50", "$1,200.50"),
        ("#### Step 2\nso 12", ""),
        ("#### 2. Add them", ""),
        ("It is 12.\nAnswer: 12", "12"),
        ("**Answer:** $\\frac12$", "\\frac12"),
        ("Answer: 3\nFinal Answer: 12", "12"),
        (r"\boxed{12}" + "\n#### 3", "12"),
        ("the answer is 12", ""),
        ("", ""),
    ],
)
def test_extraction(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize("space", [" ", "~", "\n", r"\,", r"\quad "])
@pytest.mark.parametrize("shape", ["(1,{}2)", "({}1", r"\text{{{}1"])
def test_nothing_but_space_takes_no_time(space, shape):
    """No alarm covers what is decided in this process."""
    answer = shape.format(space * (960 // len(space)))
    started = time.process_time()
    quick_verdict("5", answer)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "answer",
    [
        "the probability that the sum of the two numbers on the top of the dice is greater than ten is 15/36=5/12",
        " ".join("abcdefghijklmnopqrstuvwxyz" * 8) + " is 4+2=6",
        "x'" * 200 + "_1=6",
        r"5(\text{a})" * 200 + "=6",
        "5" + r"(\text{a})" * 200 + "=6",
    ],
)
def test_words_before_a_value_take_no_time(answer):
    started = time.process_time()
    quick_verdict("6", answer)
    assert time.process_time() - started < 0.5


def test_nested_boxes_take_memory_for_one():
    text = r"\boxed{" * 8000 + "1" + "}" * 8000
    tracemalloc.start()
    extract_answer(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * len(text)  # it was four thousand times


def test_every_call_has_the_same_keys_and_types():
    texts = [r"\boxed{5}", r"\boxed{6}", "", r"\boxed{\log_2 32}", rf"\boxed{{{ENDLESS}}}"]
    results = [compute_score("any", text, "5", {"index": 0}, time_limit=0.3, reward_model=None) for text in texts]
    assert all(set(result) == KEYS for result in results)
    assert all(type(result[key]) is float for result in results for key in KEYS - {"pred"})
    assert [result["score"] for result in results] == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert [result["timed_out"] for result in results] == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_ground_truths_that_are_no_strings():
    assert compute_score("t", r"\boxed{25}", 25)["score"] == 1.0
    assert compute_score("t", r"\boxed{0.5}", 0.5)["score"] == 1.0
    assert compute_score("t", r"\boxed{None}", None)["score"] == 0.0
    assert compute_score("t", None, "25")["score"] == 0.0


def test_predictions_are_short_and_can_be_written():
    result = compute_score("t", "\\boxed{" + "\ud800" * 5000 + "}", "5")
    assert len(result["pred"].encode()) == 256


def test_time_limit_must_be_positive():
    with pytest.raises(ValueError, match="time_limit"):
        compute_score("t", r"\boxed{5}", "5", time_limit=0)


# --- never raises, never hangs ----------------------------------------------------------------------------------------

LATEX = r"""
\boxed{ \frac \sqrt { } ( ) [ ] , ; 1 2 25 x y + - = ^ _ \pi \pm \% ^\circ \text{ cm and \left \right \{ \} \cup
\infty . / 1,000 \\ $ \begin{pmatrix} & \end{pmatrix} | < \le \in : ! \log \sin \overline{3} Final Answer:
"""
FRAGMENTS = st.sampled_from(LATEX.split())


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.text(max_size=20))
def test_arbitrary_text_never_raises(text, gold):
    assert set(compute_score("t", text, gold, time_limit=1.0)) == KEYS
    assert set(compute_score("t", f"\\boxed{{{text}}}", gold, time_limit=1.0)) == KEYS


@settings(max_examples=150, deadline=None)
@given(st.lists(FRAGMENTS, max_size=12).map("".join), st.lists(FRAGMENTS, max_size=6).map(" ".join))
def test_broken_latex_never_raises(answer, gold):
    assert set(compute_score("t", f"\\boxed{{{answer}}}", gold, time_limit=1.0)) == KEYS


def test_hostile_answers_are_wrong():
    def graded(case):
        return compute_score("t", f"\\boxed{{{case[1]}}}", case[0], time_limit=0.5)["score"]

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(graded, HOSTILE)) == {0.0}


@pytest.mark.parametrize(
    "answer", [ENDLESS, r"\prod_{k=1}^{10^8} k", r"x^{" * 200 + "2" + "}" * 200, r"\int_0^1 x^{x^{x^{x}}} dx"]
)
def test_the_limit_is_wall_clock(answer):
    limit = 1.0
    start = time.monotonic()
    result = compute_score("t", f"\\boxed{{{answer}}}", "5", time_limit=limit)
    assert time.monotonic() - start > limit * 0.9  # it was given its time; that it ends, and so, says the flag
    assert (result["score"], result["timed_out"]) == (0.0, 1.0)


@pytest.mark.parametrize("answer", ["9^{9^{9^9}}", "(10^{10})!", "2^{2^{2^{100}}}", "-9^{9^{9^9}}"])
def test_power_towers_are_wrong_before_their_time_is_up(answer):
    result = compute_score("t", f"\\boxed{{{answer}}}", r"\frac{\sqrt{5}}{2}")
    assert (result["score"], result["timed_out"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{180!}{170!}", r"\frac{180!}{170!}\cdot 1"),
        ("100", r"10^{310}\cdot 10^{-308}"),
        (r"10^{30}+2", "2+10^{30}"),
        (r"2^{25}\cdot 26!", r"26!\cdot 2^{25}"),
    ],
)
def test_floating_point_does_not_spoil_large_numbers(gold, answer):
    assert score(answer, gold) == 1.0
    assert score(f"{answer}+1", gold) == 0.0


def test_the_call_after_a_time_out_is_right():
    compute_score("t", f"\\boxed{{{ENDLESS}}}", "5", time_limit=0.3)
    assert algebra(2) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "a " * 50_000 + r"\boxed{5}",
        "\\boxed{" * 14_000,
        "{" * 100_000,
        "\\" * 100_000,
        "final answer" + " " * 100_000,
        "final answer: " * 7_000,
        "Final Answer: " + "\\(" * 50_000,
        "Final Answer: " + "$" * 99_999,
        "\\boxed{" + " " * 100_000 + "}",
        "\\boxed{" + "9" * 100_000 + "}",
        "\\boxed{" + "\\text{ cm}" * 10_000 + "}",
        "\\boxed{5" + " a" * (MAX_ANSWER_CHARS // 2 - 10) + "}",
        "\\boxed{5" + "," * (MAX_ANSWER_CHARS - 10) + "}",
        "\\boxed{" + "1 " * (MAX_ANSWER_CHARS // 2 - 10) + "}",
        "\\boxed{6}" + " " * 50_000,
        "$\\boxed{6}$" + "\n \n" * 16_000,
        "\\boxed 6" + "\n" * 50_000,
        "Final Answer: $6$" + " " * 50_000 + "$x$",
        "".join("$\\boxed{6}$ + " for _ in range(7_000)),
        "".join("\\boxed{6}+" for _ in range(7_000)),
    ],
)
def test_long_texts_are_cheap(text):
    start = time.process_time()  # of this process, whatever else the machine does; comparing has its own limit
    compute_score("t", text, "5", time_limit=1.0)
    assert time.process_time() - start < 1.0


# --- where it runs ----------------------------------------------------------------------------------------------------


def test_threads_share_the_processes():
    cases = [(f"{n**2}", integral(n if n % 2 else n + 1)) for n in range(2, 50)]
    with ThreadPoolExecutor(16) as threads:
        scores = list(threads.map(lambda case: score(case[1], case[0]), cases))
    assert scores == [float(n % 2) for n in range(2, 50)]


SCRIPT = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("custom_module_1", {path!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
heavy = {{"sympy", "mpmath", "math_verify", "torch", "verl"}}
assert not heavy & set(sys.modules), "importing the reward must be cheap"
print(module.compute_score("t", r"\\boxed{{\\int_0^3 2x\\,dx}}", "9")["score"], flush=True)
print(module.compute_score("t", {endless!r}, "5", time_limit={limit})["timed_out"], flush=True)
"""


def start_script(tmp_path: Path, limit: float) -> subprocess.Popen:
    """Starts a plain script, without a main guard, that loads the reward by its path as verl does."""
    script = tmp_path / "script.py"
    path = str(ROOT / "recipe_tapo" / "reward.py")
    script.write_text(SCRIPT.format(path=path, endless=f"\\boxed{{{ENDLESS}}}", limit=limit))
    return subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)


def graders_of(pid: int) -> list[str]:
    """Returns the grading processes, zombies included, that were started by a process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            parent = re.search(r"\) \S (\d+)", (process / "stat").read_text()).group(1)
        except (OSError, AttributeError):
            continue
        if f"main({pid})".encode() in command or (parent == str(pid) and not command):
            found.append(process.name)
    return found


def gone(pid: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while graders_of(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_plain_script_loads_it_by_path_and_leaves_no_process(tmp_path):
    process = start_script(tmp_path, limit=0.5)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.split()) == (0, ["1.0", "1.0"])
    assert gone(process.pid, within=1.0)


def test_graders_end_with_a_killed_parent(tmp_path):
    process = start_script(tmp_path, limit=2.0)
    assert process.stdout.readline().strip() == "1.0"
    assert graders_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert gone(process.pid, within=60.0)


def _grade_in_fork(queue) -> None:
    queue.put(algebra(3))
    shared_pool().close()


def test_a_forked_child_uses_processes_of_its_own():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_grade_in_fork, args=(queue,), daemon=True)
    child.start()
    assert queue.get(timeout=60) == 1.0
    child.join(10)
    assert algebra(4) == 1.0


def test_a_lost_process_is_replaced():
    assert algebra(5) == 1.0
    for worker in shared_pool()._idle:
        os.killpg(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
    assert algebra(6) == 1.0


def test_a_comparison_that_kills_the_grader_counts_as_wrong(monkeypatch):
    def die(question, limit):
        raise WorkerDied

    monkeypatch.setattr(shared_pool(), "equal", die)
    result = compute_score("t", f"\\boxed{{{integral(107)}}}", "11449")
    assert (result["score"], result["timed_out"], result["grader_died"]) == (0.0, 0.0, 1.0)


def test_a_grader_that_cannot_start_is_an_error_and_not_a_zero(monkeypatch):
    monkeypatch.setattr("recipe_tapo.grading.pool._BOOT", "raise SystemExit(1)")
    pool = Pool(1)
    with pytest.raises(GraderUnavailable, match="math-verify"):
        pool.equal(("1", "1", True), 1.0)
    assert pool._workers == set()


def test_this_process_has_no_zombies():
    compute_score("t", f"\\boxed{{{ENDLESS}}}", "5", time_limit=0.2)
    shared_pool().close()
    assert graders_of(os.getpid()) == []


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        *[("Yes", "yes", True), ("no", "No", True), ("True", r"\text{true}", True), ("even", r"\text{Even}", True)],
        *[("None", "none", True), ("yes", "no", False), ("even", "odd", False)],
        *[("xyz", "zyx", True), ("AB", "ab", False)],  # products of variables
    ],
)
def test_a_bare_word_is_the_same_in_any_case(gold, answer, right):
    assert compute_score("test", rf"\boxed{{{answer}}}", gold)["acc"] == float(right)


# --- the command ------------------------------------------------------------------------------------------------------


def write_rows(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_command_grades_a_file(tmp_path, capsys):
    rows = [
        {"response": r"\boxed{025}", "ground_truth": "25", "data_source": "aime"},
        {"response": r"\boxed{2\sqrt{3}}", "ground_truth": r"\sqrt{12}", "note": "kept"},
        {"response": "no answer", "ground_truth": 7},
    ]
    output = tmp_path / "graded.jsonl"
    tapo(["grade", str(write_rows(tmp_path / "in.jsonl", rows)), "--output", str(output)])
    graded = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["score"] for row in graded] == [1.0, 1.0, 0.0]
    assert graded[1]["note"] == "kept"
    assert "accuracy 0.6667 (2 of 3 right; 0 timed out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file has no rows"),
        ('{"response": "x", "ground_truth": "5"}\n{"resp', "line 2: broken json"),
        ("[" * 100_000, "line 1: broken json"),
        ("[1]\n", "an object is needed"),
        ('{"response": "x"}\n', "'ground_truth' is missing; another name is chosen by --gold_key"),
        ('{"ground_truth": "5"}\n', "'response' is missing; another name is chosen by --response_key"),
        ('{"response": "x", "ground_truth": ["5"]}\n', "'ground_truth' must be"),
        ('{"response": null, "ground_truth": "5"}\n', "'response' must be"),
        ("\xe9", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_the_command_names_bad_input_in_one_line(tmp_path, content, message):
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    command = [sys.executable, "-m", "recipe_tapo", "grade", str(path), "--output", str(tmp_path / "out.jsonl")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir() if file != path] == []


def test_the_command_refuses_a_pipe_which_can_be_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no file"):
        tapo(["grade", str(tmp_path / "pipe")])


def test_the_command_refuses_bad_settings(tmp_path):
    for flags in (["--time_limit", "0"], ["--time_limit", "nan"], ["--time_limit", "inf"], ["--threads", "0"]):
        with pytest.raises(SystemExit) as stop:
            tapo(["grade", str(tmp_path / "in.jsonl"), *flags])
        assert stop.value.code == 2


def test_a_grader_that_cannot_start_ends_a_batch_in_one_line(monkeypatch):
    def fail(*_):
        raise GraderUnavailable("install it")

    monkeypatch.setattr(shared_pool(), "equal", fail)
    with pytest.raises(InputError, match="cannot grade: install it"):
        list(score_all([(f"\\boxed{{{integral(8)}}}", "64")]))
