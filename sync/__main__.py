"""``python -m sync`` and ``image-sync``."""

from __future__ import annotations

from sync.cli import command, streams


def main() -> None:
    """Run the command line."""
    streams.prepare()
    command.main(prog_name="image-sync")


if __name__ == "__main__":
    main()
