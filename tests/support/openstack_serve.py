"""Serve one OpenStack service on loopback: print its port, and end when standard input ends.

It runs in the environment of the services, as ``python openstack_serve.py keystone.wsgi.api``. One thread answers, since
SQLite would refuse a second writer; connections are kept open.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any

import jsonschema
from waitress.server import create_server


def end_with_input() -> None:
    """End this process together with the one that started it, however that ends."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve the module that is named."""
    # Glance checks its own schema anew for each image that is created, which is two thirds of its time.
    jsonschema.Draft202012Validator.check_schema = lambda *_args, **_kwargs: None  # type: ignore[method-assign]
    module = sys.argv.pop()  # Keystone reads the arguments, too
    application = importlib.import_module(module).application

    def mounted(environ: dict[str, Any], start: object) -> object:
        """The service at /, and at /identity, as clouds have Keystone."""
        path = environ["PATH_INFO"]
        if path.startswith("/identity/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/identity", path.removeprefix("/identity")
        return application(environ, start)

    server = create_server(mounted, host="127.0.0.1", port=0, threads=1)
    print(server.effective_port, flush=True)  # noqa: T201 - for the process that started this one
    threading.Thread(target=end_with_input, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
