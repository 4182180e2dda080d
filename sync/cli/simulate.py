"""``image-sync simulate``: serves a simulated cloud until it is stopped."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import click

from sync.cli.options import duration_option
from sync.domain.apis import APIS, IEC
from sync.errors import UsageError
from sync.files import UnreadableFileError, read_text
from sync.settings.rules import duration
from sync.simulator import ADMIN_ROLES, LOST_MARKERS, Application, Keys, Login, Simulator, Viewer, World

PASSWORD = "IMAGE_SYNC_SIMULATOR_PASSWORD"  # noqa: S105 - the name of a variable
SECRET_KEY = "IMAGE_SYNC_SIMULATOR_SECRET_KEY"  # noqa: S105 - the name of a variable
APPLICATION_SECRET = "IMAGE_SYNC_SIMULATOR_APPLICATION_SECRET"  # noqa: S105 - the name of a variable
_TIME = duration(0.001, 100 * 365 * 86_400)
_SECRET_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--api", default=IEC.name, type=click.Choice(list(APIS)), help="API to serve.", show_default=True)
@click.option("--images", default=1000, type=click.IntRange(0, 5_000_000), help="Images at the start.")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="Port to listen on; 0 for any free one.")
@click.option("--seed", default=1, type=int, help="The same seed gives the same images.")
@click.option("--token", help="Accept this token; default: one is made up and shown.")
@click.option("--user", help=f"Let this user log in, with the password of --password-file or ${PASSWORD}.")
@click.option("--password-file", type=_SECRET_FILE, help="File with the password of --user.")
@click.option("--domain", default="simulated", help="Account (IAM domain) of --user.")
@click.option("--project", default="cn-north-4", help="Project of --user.", show_default=True)
@click.option(
    "--application-id",
    help=f"Accept this application credential, with the secret of --application-secret-file or ${APPLICATION_SECRET}.",
)
@click.option("--application-secret-file", type=_SECRET_FILE, help="File with the secret of --application-id.")
@click.option(
    "--admin", is_flag=True, help="Give all credentials the role admin, which sees the images of all projects."
)
@duration_option("--token-lifetime", _TIME, "Lifetime of a token that --user fetches.", default="24h")
@click.option("--access-key", help=f"Accept this access key, with the secret of --secret-key-file or ${SECRET_KEY}.")
@click.option("--secret-key-file", type=_SECRET_FILE, help="File with the secret of --access-key.")
@click.option("--page-cap", type=click.IntRange(1, 1000), help="Most images per page, whatever a request asks for.")
@click.option("--unstable-ties", is_flag=True, help="Shuffle images with equal created_at in every response.")
@click.option(
    "--lost-marker",
    type=click.Choice(LOST_MARKERS),
    help="What becomes of a page after an image that is gone: an error (default), the first page, or the right one. "
    "Only of ims.",
)
@click.option(
    "--enterprise-project", is_flag=True, help="Refuse requests that name no enterprise project. Only of ims."
)
@duration_option("--latency", _TIME, "Delay every response, such as by 50ms.")
@duration_option("--churn-every", _TIME, "Let a day's worth of changes happen at this interval, such as 30s.")
@click.option(
    "--churn", default=1.0, type=click.FloatRange(0, 100), help="Percentage of images in such a day's changes."
)
@click.option("--control", is_flag=True, help="Accept commands under /_simulator/ from this machine.")
def simulate(
    *,
    api: str,
    images: int,
    seed: int,
    token: str | None,
    access_key: str | None,
    secret_key_file: Path | None,
    admin: bool,
    latency: float | None,
    churn_every: float | None,
    churn: float,
    **options: Any,
) -> None:
    """Serve a simulated cloud to try the job against.

    Prints the settings that point the job at it, and runs until Ctrl-C.
    """
    world, login = World(seed, images, api=api), _login(options)
    keys = Keys(access_key, _secret("--secret-key-file", secret_key_file, SECRET_KEY)) if access_key else None
    options |= {"viewer": Viewer(roles=ADMIN_ROLES) if admin else None, "latency": latency or 0.0}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Simulator(world, token=token, login=login, keys=keys, **options) as simulator,
    ):
        click.echo(f"{images} images on {simulator.url}; export {_hint(simulator, token)}", err=True)
        while True:
            time.sleep(churn_every or 3600)
            if churn_every:
                world.churn(churn)


def _login(options: dict[str, Any]) -> Login | None:
    """The user of these options, which are taken out; None if there is none."""
    names = ("user", "password_file", "domain", "project", "application_id", "application_secret_file")
    user, password_file, domain, project, application_id, application_file = (options.pop(name) for name in names)
    if not (user or application_id):
        return None
    password = _secret("--password-file", password_file, PASSWORD) if user else secrets.token_urlsafe()
    application = None
    if application_id:
        secret = _secret("--application-secret-file", application_file, APPLICATION_SECRET)
        application = Application(application_id, secret)
    return Login(user or "operator", password, domain, project, application=application)


def _hint(simulator: Simulator, token: str | None) -> str:
    """The settings for the job; a secret given on the command line is not repeated."""
    api, login, keys = simulator.world.api, simulator.identity.login, simulator.identity.keys
    settings = {} if api is IEC else {"API": api.name}
    in_catalog, signed = bool(api.service_types), bool(keys and not login)
    if signed or not in_catalog:
        settings["ENDPOINT"] = simulator.url
    if (login or in_catalog) and not signed:
        settings["IAM_ENDPOINT"] = f"{simulator.url}/identity" if in_catalog else simulator.url
    if login and login.application:
        settings |= {"APPLICATION_CREDENTIAL_ID": login.application.id, "APPLICATION_CREDENTIAL_SECRET_FILE": "..."}
    elif login:
        settings |= {"USERNAME": login.user, "DOMAIN": login.domain, "PASSWORD_FILE": "..."}
        settings |= {"PROJECT": login.project} if api.project_scoped else {}
    elif keys:
        settings |= {"ACCESS_KEY": keys.access, "SECRET_KEY_FILE": "..."}
        settings |= {"PROJECT_ID": simulator.identity.viewer.project} if api.project_scoped else {}
    else:
        settings["TOKEN"] = "..." if token else simulator.token
    return " ".join(f"IMAGE_SYNC_{name}={value}" for name, value in settings.items())


def _secret(option: str, file: Path | None, variable: str) -> str:
    try:
        secret = read_text(file).strip() if file else os.environ.get(variable, "")
    except UnreadableFileError as error:
        raise UsageError(f"{file} can't be read: {error}") from error
    if not secret:
        raise UsageError(f"a secret is missing; put it into a file and give {option}, or into ${variable}")
    return secret
