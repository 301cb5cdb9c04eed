"""``tapo``: the one command."""


def main() -> None:
    """Runs the command line."""
    raise SystemExit("not yet")
