"""``tapo`` as it is typed: what its help says, its exit codes, and that errors take one line."""

import json
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points

import pytest

from recipe_tapo import __version__
from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError


def exit_of(command) -> int:
    with pytest.raises(SystemExit) as stop:
        run_command(command)
    return stop.value.code


def fails_with(error: BaseException):
    def command():
        raise error

    return command


@pytest.mark.parametrize("name", tapo.SUMMARIES)
def test_the_example_in_a_help_is_a_command_line_that_parses(name):
    text = import_module(f"recipe_tapo.cli.{name}").DESCRIPTION
    program, *arguments = shlex.split(text.split("example:")[1])
    assert (program, arguments[0]) == ("tapo", name)
    assert callable(tapo.parse(arguments).run)
    assert max(map(len, text.splitlines())) <= 80


def test_the_list_of_commands_says_what_each_does_and_loads_none_of_them():
    code = (
        "import sys; from recipe_tapo.cli import main\n"
        "try: main.run(['--help'])\n"
        "finally: print(sorted({'torch', 'numpy', 'pyarrow', 'rich', 'verl', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "[]")
    words = " ".join(result.stdout.split())
    assert all(f"{name} {summary}" in words for name, summary in tapo.SUMMARIES.items())


def test_the_script_is_the_module():
    (script,) = entry_points(group="console_scripts", name="tapo")
    assert script.load() is tapo.main
    result = subprocess.run([sys.executable, "-m", "recipe_tapo", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"tapo {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: COMMAND; see 'tapo --help'"),
        (["judge"], "invalid choice: 'judge'"),
        (["plot"], "arguments are required: RUN; see 'tapo plot --help'"),
        (["plot", "run", "--outpu", "x"], "unrecognized arguments: --outpu x"),
        (["report", "--output", "page.html"], "nothing to report"),
        (["evaluate", "--output", "folder", "--model", "m"], "--model and --benchmark are needed"),
        (["compare", "no such\nfolder"], "no such folder: no such folder"),
    ],
)
def test_a_command_line_that_is_wrong_gets_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_of(lambda: tapo.run(arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["grade", "answers.jsonl"],
        ["plot", "run"],
        ["preview", "--model", "m", "--input", "~/train.parquet"],
        ["reflect", "one", "other"],
        ["report", "folder"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_path_behind_an_equals_sign_may_begin_with_the_home_folder(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tapo.parse([*arguments, "--output=~/x"]).output == tmp_path / "x"
    assert exit_of(lambda: tapo.parse([*arguments, "--output=~nobody_of_this_name/x"])) == 2
    assert capsys.readouterr().err.startswith("error: argument --output: ~nobody_of_this_name/x: there is no such user")


@pytest.mark.parametrize("arguments", [["grade", "answers.jsonl"], ["report", "evaluation"]])
def test_a_folder_as_output_file_is_refused_before_anything_is_read(arguments, tmp_path, capsys):
    assert exit_of(lambda: tapo.run([*arguments, "--output", str(tmp_path)])) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: argument --output: {tmp_path} is a folder; name a file") and error.count("\n") == 1


def test_a_file_to_grade_may_begin_with_a_byte_order_mark(tmp_path, capsys):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"response": "\\\\boxed{5}", "ground_truth": "5"}\n', encoding="utf-8-sig")
    tapo.run(["grade", str(path)])
    assert "1 of 1 right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a file:\nno rows"), 2, "error: a file: no rows\n"),
        (FileNotFoundError(2, "No such file", "x"), 2, "error: x: No such file\n"),
        (OSError(28, "No space left"), 2, "error: [Errno 28] No space left\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            ModuleNotFoundError("No module named 'openai'", name="openai"),
            2,
            "error: openai is not installed, and this command needs it: pip install 'recipe-tapo[evaluate]'\n",
        ),
    ],
)
def test_what_a_user_can_mend_has_no_traceback(error, code, line, capsys):
    assert exit_of(fails_with(error)) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("error", [TypeError("mistake"), ModuleNotFoundError("no", name="recipe_tapo.nothing")])
def test_a_mistake_in_the_program_is_not_swallowed(error):
    with pytest.raises(type(error)):
        run_command(fails_with(error))


def test_a_failed_check_is_exit_code_1_and_a_passed_one_0(monkeypatch):
    from recipe_tapo.engine import doctor

    said = []
    monkeypatch.setattr(doctor, "run", lambda quiet: said.append(quiet) or 1)
    assert exit_of(lambda: tapo.run(["check", "--quiet"])) == 1
    monkeypatch.setattr(doctor, "run", lambda quiet: said.append(quiet) or 0)
    run_command(lambda: tapo.run(["check"]))
    assert said == [True, False]


def test_grading_overwrites_nothing_but_an_earlier_grading(tmp_path):
    source, output = tmp_path / "answers.jsonl", tmp_path / "graded.jsonl"
    row = {"response": "\\boxed{5}", "ground_truth": "5"}
    source.write_text(json.dumps(row | {"pred": "mine"}) + "\n")
    tapo.run(["grade", str(source), "--output", str(output)])
    graded = json.loads(output.read_text())
    assert (graded["pred_before"], graded["pred"]) == ("mine", "5")
    source.write_text(json.dumps(row) + "\n")
    tapo.run(["grade", str(source), "--output", str(output)])
    first = output.read_text()
    tapo.run(["grade", str(output), "--output", str(output)])
    assert output.read_text() == first and json.loads(first)["pred"] == "5"
