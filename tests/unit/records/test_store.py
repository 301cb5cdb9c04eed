"""The keyed store of results alone; what fills it is tested with sampling, evaluation and judging."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.errors import InputError
from recipe_tapo.records.store import ResultStore, read_results

KEY = ("judge", "case")


def result(case: str | int, value: object, judge: str = "j") -> dict:
    return {"judge": judge, "case": case, "value": value}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3) | st.just("\ud83d\u2028")), max_size=4), max_size=5
    ),
    st.binary(max_size=9).filter(lambda junk: b"\n" not in junk),
)
def test_it_holds_the_last_result_of_each_key_through_any_number_of_openings(tmp_path_factory, runs, junk):
    path = tmp_path_factory.mktemp("store") / "results.jsonl"
    expected: dict[int, str] = {}
    for run in runs:
        with ResultStore(path, KEY) as store:
            store.add(result(case, value) for case, value in run)
            expected |= dict(run)
            assert {case: (store.get(("j", case)) or {}).get("value") for case in expected} == expected
            assert len(store) == len(expected) and ("j", 9) not in store
        with open(path, "ab") as file:  # a run that is killed while it writes
            file.write(junk)
    with ResultStore(path, KEY) as store:
        assert {case: (store.get(("j", case)) or {}).get("value") for case in expected} == expected
        store.put_in_order([("j", case) for case in sorted(expected)])
    assert [json.loads(line)["case"] for line in path.read_bytes().split(b"\n")[:-1]] == sorted(expected)


def test_what_a_killed_process_of_the_same_number_left_is_not_kept(tmp_path):
    path = tmp_path / "results.jsonl"
    with ResultStore(path, KEY) as store:
        store.add([result(1, "a"), result(0, "b")])
        left = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        left.write_bytes(b'{"judge": "j", "case": 1}\n{"ju')
        store.put_in_order([("j", 0), ("j", 1)])
        assert not left.exists()
        assert [store.get(("j", case)) for case in (0, 1)] == [result(0, "b"), result(1, "a")]
    assert len(path.read_bytes().splitlines()) == 2


def test_lines_of_others_are_passed_over_and_left_alone(tmp_path):
    path = tmp_path / "results.jsonl"
    lines = [b"null", b"7", b"[]", b"{", b"\xff", b"", b'{"judge": "j"}', b'{"judge": "j", "case": [1]}', b"[" * 10**5]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with ResultStore(path, KEY) as store:
        assert len(store) == 0
        store.add([result("c", 1)])
    assert path.read_bytes().startswith(b"\n".join(lines) + b"\n")
    with ResultStore(path, KEY) as store:
        assert store.get(("j", "c")) == result("c", 1) and store.get(("k", "c")) is None


def test_while_it_is_open_no_other_process_may_write_it_even_after_its_lines_were_put_in_order(tmp_path):
    path = tmp_path / "results.jsonl"
    with ResultStore(path, KEY) as store:
        store.add([result(1, "a"), result(0, "b")])
        for _ in range(2):
            with pytest.raises(InputError, match="another process is writing it"):
                ResultStore(path, KEY)
            store.put_in_order([("j", 0), ("j", 1)])
        store.add([result(2, "c")])
    with ResultStore(path, KEY) as store:
        assert [store.get(("j", case)) for case in range(3)] == [result(0, "b"), result(1, "a"), result(2, "c")]


def test_a_file_of_unknown_make_is_not_taken_for_a_store(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("of another program\n")
    with pytest.raises(
        InputError, match=r"notes\.jsonl\.settings\.json: cannot be read .* so notes\.jsonl is of no use"
    ):
        ResultStore(path, KEY, {"model": "m"})
    assert path.read_text() == "of another program\n"


def test_settings_that_say_nothing_of_a_total_make_no_complete_store(tmp_path):
    path = tmp_path / "results.jsonl"
    with ResultStore(path, KEY, {"model": "m"}) as store:
        store.add([result(0, "a")])
    with pytest.raises(InputError, match="has 1 of None results"):
        list(read_results(path))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_putting_in_order_leaves_no_other_file_behind_whether_it_succeeds_or_not(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    with ResultStore(path, KEY) as store:
        store.add([result(1, "a"), result(0, "b")])
        before = path.read_bytes()
        with monkeypatch.context() as full, pytest.raises(OSError, match="full"):
            full.setattr("recipe_tapo.records.store.os.fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
            store.put_in_order([("j", 0), ("j", 1)])
        assert (path.read_bytes(), files(tmp_path)) == (before, {"results.jsonl"})
        store.put_in_order([("j", 0), ("j", 1)])
    assert files(tmp_path) == {"results.jsonl"}


def test_a_store_that_is_a_link_stays_one(tmp_path):
    real, link = tmp_path / "disk" / "results.jsonl", tmp_path / "results.jsonl"
    real.parent.mkdir()
    real.touch()
    link.symlink_to(real)
    with ResultStore(link, KEY) as store:
        store.add([result(1, "a"), result(0, "b")])
        store.put_in_order([("j", 0), ("j", 1)])
    assert link.is_symlink()
    assert [json.loads(line)["case"] for line in real.read_text().splitlines()] == [0, 1]
