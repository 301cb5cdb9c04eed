"""``python -m recipe_tapo``: the same as ``tapo``."""

from recipe_tapo.cli.main import main

if __name__ == "__main__":
    main()
