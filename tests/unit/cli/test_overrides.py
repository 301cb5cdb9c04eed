"""Any path survives Hydra's override grammar."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from recipe_tapo.cli.overrides import quoted


@pytest.mark.parametrize(
    "path",
    ["/home/ann/x", "/home/jürgen/x", "/tmp/a b/c", "/tmp/a=b/c", "/tmp/(x)/[y]", "/tmp/a,b", "/tmp/it's", "/用户/x"],
)
def test_a_path_comes_back_as_it_was(path):
    override = OverridesParser.create().parse_override(f"trainer.default_local_dir={quoted(path)}")
    assert str(getattr(override.value(), "text", override.value())) == path
