"""``python -m netbuilder``."""

from netbuilder.cli._app import main

if __name__ == "__main__":
    main()
