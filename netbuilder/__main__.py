"""``python -m netbuilder``, and the program ``netbuilder``."""

from netbuilder.cli._signals import end_at_once


def main() -> None:
    """Run a command; from its first import on, a signal ends it without a traceback."""
    with end_at_once():
        from netbuilder.cli._app import main as run

        run()


if __name__ == "__main__":
    main()
