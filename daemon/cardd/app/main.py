"""The command ``cardd``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from .config import DEFAULT_PATH, Config
from .device import VERSION
from .policy import load_checked
from .settings import ConfigError

__all__ = ["main"]

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 78  # sysexits.h: EX_CONFIG


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 stopped as asked, 1 could not run, 2 usage, 78 unusable configuration."""
    options = _parser().parse_args(arguments)
    if options.command == "config-reference":
        return _print_reference()
    try:
        config = load_checked(options.config)
        if options.command == "check-config":
            print(f"{options.config}: good")
            return EXIT_OK
        return _run(config, options.config)
    except ConfigError as error:
        print(f"cardd: {error}", file=sys.stderr)
        return EXIT_CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cardd",
        description="Shares the card among local programs, and provisions this machine from it. "
        "It is spoken to with cardctl, or over gRPC.",
    )
    parser.add_argument("--version", action="version", version=f"cardd {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve until SIGTERM or SIGINT")
    run.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help=f"default: {DEFAULT_PATH}, which may be missing",
    )
    check = commands.add_parser("check-config", help="check a configuration file, change nothing")
    check.add_argument("config", type=Path, metavar="FILE")
    commands.add_parser("config-reference", help="print every key, as Markdown")
    return parser


def _print_reference() -> int:
    from .config_reference import reference

    print(reference(), end="")
    return EXIT_OK


def _run(config: Config, path: Path) -> int:
    # What is loaded stays: to look through it for garbage takes a sixth of the start.
    gc.disable()
    # structlog would load rich, for tracebacks that nobody draws here.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # how an import is ruled out
    # Late, so that check-config and usage errors do not wait for grpc and PC/SC to load.
    from .bootstrap import StartError, serve
    from .logging import configure_logging

    gc.freeze()
    gc.enable()
    # A core file would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_logging(config.logging.level, config.logging.format)
    try:
        asyncio.run(serve(config, path))
    except StartError as error:
        print(f"cardd: {error}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
