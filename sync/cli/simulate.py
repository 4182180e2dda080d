"""``image-sync simulate``: serves a simulated cloud until told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import click

from sync.cli.options import duration_option
from sync.errors import UsageError
from sync.settings.rules import duration
from sync.simulator import Keys, Login, Simulator, World

PASSWORD = "IMAGE_SYNC_SIMULATOR_PASSWORD"  # noqa: S105 - the name of a variable
SECRET_KEY = "IMAGE_SYNC_SIMULATOR_SECRET_KEY"  # noqa: S105 - the name of a variable
_TIME = duration(0.001, 100 * 365 * 86_400)
_SECRET_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--images", default=1000, show_default=True, type=click.IntRange(0, 5_000_000), help="Images at first.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any free one.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same images.")
@click.option("--token", help="A token that is always good; without it one is made up and shown.")
@click.option("--user", help=f"A user who may ask for tokens; password from a file or ${PASSWORD}.")
@click.option("--password-file", type=_SECRET_FILE, help="File with the password of --user.")
@click.option("--domain", default="simulated", show_default=True, help="Account of --user.")
@duration_option("--token-lifetime", _TIME, "Life of such a token.", default="24h")
@click.option("--access-key", help=f"An access key whose signatures are good; secret from a file or ${SECRET_KEY}.")
@click.option("--secret-key-file", type=_SECRET_FILE, help="File with the secret of --access-key.")
@click.option("--page-cap", type=click.IntRange(1, 500), help="Most images in an answer, whatever is asked for.")
@click.option("--unstable-ties", is_flag=True, help="Images with equal created_at change places in every answer.")
@duration_option("--latency", _TIME, "How much longer each answer takes, such as 50ms.")
@duration_option("--churn-every", _TIME, "Let a day's worth of things happen so often, such as 30s.")
@click.option("--churn", default=1.0, show_default=True, type=click.FloatRange(0, 100), help="Percent touched by it.")
@click.option("--control", is_flag=True, help="Take commands under /_simulator/ from this machine.")
def simulate(
    *,
    images: int,
    host: str,
    port: int,
    seed: int,
    token: str | None,
    user: str | None,
    password_file: Path | None,
    domain: str,
    token_lifetime: float,
    access_key: str | None,
    secret_key_file: Path | None,
    page_cap: int | None,
    unstable_ties: bool,
    latency: float | None,
    churn_every: float | None,
    churn: float,
    control: bool,
) -> None:
    """Serve a simulated cloud to try the job against, until Ctrl-C."""
    login = Login(user, _secret("--password-file", password_file, PASSWORD), domain) if user else None
    keys = Keys(access_key, _secret("--secret-key-file", secret_key_file, SECRET_KEY)) if access_key else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Simulator(
            World(seed, images),
            host=host,
            port=port,
            token=token,
            login=login,
            keys=keys,
            token_lifetime=token_lifetime,
            page_cap=page_cap,
            unstable_ties=unstable_ties,
            latency=latency or 0.0,
            control=control,
        ) as simulator,
    ):
        click.echo(f"{images} images on {simulator.url}; {_hint(simulator, token)}", err=True)
        _live(simulator.world, churn_every, churn)


def _live(world: World, every: float | None, percent: float) -> NoReturn:
    while True:
        time.sleep(every or 3600)
        if every:
            world.churn(percent)


def _hint(simulator: Simulator, given: str | None) -> str:
    """How to point the job at it; a token somebody gave is not repeated."""
    endpoint = f"export IMAGE_SYNC_ENDPOINT={simulator.url}"
    login, keys = simulator.identity.login, simulator.identity.keys
    if login:
        return (
            f"{endpoint} IMAGE_SYNC_IAM_ENDPOINT={simulator.url} IMAGE_SYNC_USERNAME={login.user}"
            f" IMAGE_SYNC_DOMAIN={login.domain} IMAGE_SYNC_PASSWORD_FILE=..."
        )
    if keys:
        return f"{endpoint} IMAGE_SYNC_ACCESS_KEY={keys.access} IMAGE_SYNC_SECRET_KEY_FILE=..."
    return f"{endpoint} IMAGE_SYNC_TOKEN={'...' if given else simulator.token}"


def _secret(option: str, file: Path | None, variable: str) -> str:
    secret = file.read_text(encoding="utf-8").strip() if file else os.environ.get(variable, "")
    if not secret:
        raise UsageError(f"A secret is missing: put it into a file and give {option}, or into ${variable}.")
    return secret
