"""Files that appear whole or not at all."""

import pytest

from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths


@pytest.mark.parametrize("early", [True, False])
def test_where_one_target_is_a_folder_none_is_replaced(tmp_path, early):
    """Also where it becomes one only while the files are written."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old")
    if early:
        second.mkdir()
    with pytest.raises(InputError, match="second: is a folder"), atomic_paths(first, second) as temporary:
        for path in temporary:
            path.write_text("new")
        second.mkdir()
    assert first.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
