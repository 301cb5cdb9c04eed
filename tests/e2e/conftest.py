"""Two processes share these tests file by file: the longest file goes first, so that nobody waits for it at the end."""

LONGEST = "test_study_engine.py"


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != LONGEST)
