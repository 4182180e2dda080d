"""``image-sync simulate``: serves a simulated cloud until it is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import click

from sync.cli.options import duration_option
from sync.errors import UsageError
from sync.files import UnreadableFileError, read_text
from sync.settings.rules import duration
from sync.simulator import Keys, Login, Simulator, World

PASSWORD = "IMAGE_SYNC_SIMULATOR_PASSWORD"  # noqa: S105 - the name of a variable
SECRET_KEY = "IMAGE_SYNC_SIMULATOR_SECRET_KEY"  # noqa: S105 - the name of a variable
_TIME = duration(0.001, 100 * 365 * 86_400)
_SECRET_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--images", default=1000, type=click.IntRange(0, 5_000_000), help="Images at the start.")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="Port to listen on; 0 for any free one.")
@click.option("--seed", default=1, type=int, help="The same seed gives the same images.")
@click.option("--token", help="Accept this token; default: one is made up and shown.")
@click.option("--user", help=f"Let this user log in, with the password of --password-file or ${PASSWORD}.")
@click.option("--password-file", type=_SECRET_FILE, help="File with the password of --user.")
@click.option("--domain", default="simulated", help="Account (IAM domain) of --user.")
@duration_option("--token-lifetime", _TIME, "Lifetime of a token that --user fetches.", default="24h")
@click.option("--access-key", help=f"Accept this access key, with the secret of --secret-key-file or ${SECRET_KEY}.")
@click.option("--secret-key-file", type=_SECRET_FILE, help="File with the secret of --access-key.")
@click.option("--page-cap", type=click.IntRange(1, 500), help="Most images per page, whatever a request asks for.")
@click.option("--unstable-ties", is_flag=True, help="Shuffle images with equal created_at in every response.")
@duration_option("--latency", _TIME, "Delay every response, such as by 50ms.")
@duration_option("--churn-every", _TIME, "Let a day's worth of changes happen at this interval, such as 30s.")
@click.option(
    "--churn", default=1.0, type=click.FloatRange(0, 100), help="Percentage of images in such a day's changes."
)
@click.option("--control", is_flag=True, help="Accept commands under /_simulator/ from this machine.")
def simulate(
    *,
    images: int,
    seed: int,
    token: str | None,
    user: str | None,
    password_file: Path | None,
    domain: str,
    access_key: str | None,
    secret_key_file: Path | None,
    latency: float | None,
    churn_every: float | None,
    churn: float,
    **options: Any,
) -> None:
    """Serve a simulated cloud to try the job against.

    Prints the settings that point the job at it, and runs until Ctrl-C.
    """
    world = World(seed, images)
    login = Login(user, _secret("--password-file", password_file, PASSWORD), domain) if user else None
    keys = Keys(access_key, _secret("--secret-key-file", secret_key_file, SECRET_KEY)) if access_key else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Simulator(world, token=token, login=login, keys=keys, latency=latency or 0.0, **options) as simulator,
    ):
        click.echo(f"{images} images on {simulator.url}; {_hint(simulator, token)}", err=True)
        while True:
            time.sleep(churn_every or 3600)
            if churn_every:
                world.churn(churn)


def _hint(simulator: Simulator, token: str | None) -> str:
    """The settings for the job; a token given on the command line is not repeated."""
    endpoint = f"export IMAGE_SYNC_ENDPOINT={simulator.url}"
    login, keys = simulator.identity.login, simulator.identity.keys
    if login:
        return (
            f"{endpoint} IMAGE_SYNC_IAM_ENDPOINT={simulator.url} IMAGE_SYNC_USERNAME={login.user}"
            f" IMAGE_SYNC_DOMAIN={login.domain} IMAGE_SYNC_PASSWORD_FILE=..."
        )
    if keys:
        return f"{endpoint} IMAGE_SYNC_ACCESS_KEY={keys.access} IMAGE_SYNC_SECRET_KEY_FILE=..."
    return f"{endpoint} IMAGE_SYNC_TOKEN={'...' if token else simulator.token}"


def _secret(option: str, file: Path | None, variable: str) -> str:
    try:
        secret = read_text(file).strip() if file else os.environ.get(variable, "")
    except UnreadableFileError as error:
        raise UsageError(f"{file} can't be read: {error}") from error
    if not secret:
        raise UsageError(f"a secret is missing; put it into a file and give {option}, or into ${variable}")
    return secret
