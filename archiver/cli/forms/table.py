"""The forms of export by name. A new one is one row here."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from archiver.cli.forms.bundle import BUNDLE
from archiver.cli.forms.interface import Form, Options
from archiver.cli.forms.pdf import PDF
from archiver.cli.forms.plain import EML, MAILDIR, MBOX

FORMS = {form.name: form for form in (EML, MBOX, MAILDIR, PDF, BUNDLE)}


class FormCommand(click.Command):
    """A command that takes the options of every form; its help shows them form by form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _all_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The usual options, then a section a form."""
        own = _all_options()
        usual = (param for param in self.get_params(ctx) if isinstance(param, click.Option) and param not in own)
        sections = {"Options": [option.get_help_record(ctx) for option in usual]}
        for form in FORMS.values():
            sections[f"Options of --format {form.name}"] = [option.get_help_record(ctx) for option in form.options]
        for title, records in sections.items():
            if shown := [record for record in records if record]:
                with formatter.section(title):
                    formatter.write_dl(shown)


def own_options(form: Form, ctx: click.Context) -> Options:
    """The values of the form's options; UsageError when one was given that is another form's."""
    for option in _all_options():
        given = ctx.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT
        if given and option not in form.options:
            forms = ", ".join(other.name for other in FORMS.values() if option in other.options)
            raise click.UsageError(f"{option.opts[0]} goes with --format {forms}, not with {form.name}", ctx)
    return {str(option.name): ctx.params[str(option.name)] for option in form.options}


def _all_options() -> list[click.Option]:
    return list({str(option.name): option for form in FORMS.values() for option in form.options}.values())
