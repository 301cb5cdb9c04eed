"""Two processes share these tests file by file: long files go first, so that nobody waits for one at the end."""

LONG = ["test_study_engine.py", "test_engine.py", "test_async_engine.py", "test_data.py", "test_settings.py"]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
