"""mailark store policy"""

from __future__ import annotations

import click

from archiver.cli.output import as_json


@click.group()
def command() -> None:
    """Work on the stores themselves."""


@command.command("policy")
@click.argument("url", metavar="URL")
def show_policy(url: str) -> None:
    """Print the least IAM policy for the machine that archives into the s3:// store URL.

    It may look, read and add; it may not delete. `init` and `repair` want more: run them with other credentials.
    """
    from archiver.errors import ConfigError
    from archiver.stores.s3_place import EXAMPLE, parse_place
    from archiver.stores.s3_policy import policy

    if not url.startswith("s3://"):
        raise ConfigError(f"{url}: only s3:// stores have such a policy", f"Example: {EXAMPLE}")
    click.echo(as_json(policy(parse_place(url))))
