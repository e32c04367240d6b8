"""``python -m tensorcalc.cli`` is the command ``tensorcalc``."""

from tensorcalc.cli import main

main()
