"""``python -m cardctl``."""

from .main import main

main()
