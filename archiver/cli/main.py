"""The one table of commands, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from archiver import __version__
from archiver.cli.output import clean
from archiver.cli.session import Session
from archiver.errors import MailarkError
from archiver.toml_table import did_you_mean

INTERRUPTED = 130
TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came; it unwinds like Ctrl-C does, so that locks are let go and spooled files closed."""


COMMANDS = {
    "init": "Make a new archive and its recovery sheet.",
    "account": "List the configured accounts, or try their logins.",
    "folders": "List the folders on the servers, and which of them `backup` takes.",
    "backup": "Archive what is new on the servers.",
    "status": "Tell how complete, how old and how well copied the archive is.",
    "search": "Find messages.",
    "show": "Show one message and where it was seen.",
    "export": "Write messages as files: .eml, mbox, Maildir, PDF, a compliance bundle.",
    "restore": "Put messages back into an account.",
    "check": "Check the archive in every store.",
    "repair": "Heal damaged or missing objects from a good store.",
    "store": "List the stores, add one, take one out.",
    "hold": "Keep an era, or everything, from being deleted until a case is over.",
    "purge": "Tell what the destruction of an era would take away.",
    "reindex": "Make the catalog again from a store.",
    "recover": "Bring everything back from one store and the recovery sheet.",
}
"""Each command is `command` in a module of its own, imported when it is called."""


class Commands(click.Group):
    """A group whose commands are imported only when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"archiver.cli.{cmd_name}").command
        _accept_everywhere(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise click.UsageError(f'no command "{args[0]}"{did_you_mean(args[0], COMMANDS)}', ctx)
        return super().resolve_command(ctx, args)


def _remember(ctx: click.Context, param: click.Parameter, value: Path | bool | None) -> None:
    if value:
        setattr(ctx.ensure_object(Session), str(param.name), value)


def _options() -> list[click.Option]:
    file = click.Path(dir_okay=False, path_type=Path)
    return [
        click.Option(["--config"], type=file, expose_value=False, callback=_remember, help="The configuration file."),
        click.Option(
            ["--debug"], is_flag=True, expose_value=False, callback=_remember, help="Show where an error came from."
        ),
    ]


def _accept_everywhere(command: click.Command) -> None:
    """Let --config and --debug stand after the command as well."""
    if not any(param.name == "config" for param in command.params):
        for option in _options():
            option.hidden = True
            command.params.append(option)
        for sub in getattr(command, "commands", {}).values():
            sub.short_help = sub.short_help or _first_sentence(sub.help or "")  # click cuts at a width, in mid-sentence
            _accept_everywhere(sub)


def _first_sentence(text: str) -> str:
    return f"{' '.join(text.split()).partition('. ')[0].rstrip('.')}."


@click.group(
    cls=Commands, params=_options(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="mailark")
def cli() -> None:
    """Mailark archives mailboxes over IMAP into an encrypted archive kept in several stores."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The program `mailark`."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; every error becomes one line on standard error."""
    session = Session()
    try:
        result = cli.main(arguments, prog_name="mailark", standalone_mode=False, obj=session)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has left; nothing more can be said to it
        return 1
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; nothing is lost, the same command goes on from here", "", INTERRUPTED)
    except Terminated:
        return _say("ended by SIGTERM; nothing is lost, the same command goes on from here", "", TERMINATED)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        return _say(error.format_message(), _usage_hint(error), 2)
    except click.ClickException as error:
        return _say(error.format_message(), "", 2)
    except MailarkError as error:
        return _failed(error, str(error), error.hint, error.exit_code, session.debug)
    except Exception as error:
        text = f"unexpected {type(error).__name__}: a defect of Mailark"
        return _failed(error, text, "run again with --debug to see where", 1, session.debug)


def _usage_hint(error: click.UsageError) -> str:
    """Where to read on; a word of a query that a shell took for an option is shown as the query says it, too."""
    if error.ctx is None:
        return "mailark --help"
    takes_query = any(param.name == "query" for param in error.ctx.command.params)
    if takes_query and isinstance(error, click.NoSuchOption) and not error.option_name.startswith("--"):
        return f"to leave a word out, write NOT before it, or quote the whole query; or {error.ctx.command_path} --help"
    return f"{error.ctx.command_path} --help"


def _failed(error: Exception, text: str, hint: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    return _say(text, hint, code)


def _say(text: str, hint: str, code: int) -> int:
    """Names of folders and words of servers are a stranger's: nothing in them may speak to the terminal."""
    print(f"error: {clean(text)}", file=sys.stderr)
    if hint:
        print(f"  try: {clean(hint)}", file=sys.stderr)
    return code


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


if __name__ == "__main__":
    main()
