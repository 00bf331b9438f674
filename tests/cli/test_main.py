"""The edge of the program: every error becomes one line, a hint and an exit code; starting is quick."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from archiver import errors
from archiver.cli import main
from tests.cli.sandbox import cpu_seconds, slowness

ALL = [
    (errors.MailarkError, 1),
    (errors.ConfigError, 2),
    (errors.ProtocolError, 3),
    (errors.AuthError, 4),
    (errors.ConnectError, 5),
    (errors.QuotaError, 6),
    (errors.IntegrityError, 7),
    (errors.StoreError, 8),
    (errors.LockedError, 9),
]
Probe = Callable[[Callable[[], None]], None]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Adds a command `probe` that does what the test says."""

    def add(action: Callable[[], None]) -> None:
        module = types.ModuleType("archiver.cli.probe")
        module.command = click.Command("probe", callback=action)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "archiver.cli.probe", module)
        monkeypatch.setitem(main.COMMANDS, "probe", "A probe.")

    return add


def fail(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(("kind", "code"), ALL)
def test_each_error_is_one_line_a_hint_and_its_code(
    kind: type[errors.MailarkError], code: int, probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(fail(kind("what happened", "what to do")))
    assert main.run(["probe"]) == code
    assert capsys.readouterr().err == "error: what happened\n  try: what to do\n"


def test_an_error_never_speaks_to_the_terminal(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    probe(fail(errors.ProtocolError("\x1b]0;title\x07INBOX\x9b31m cannot be opened", "\x1b[2Jtry")))
    assert main.run(["probe"]) == 3
    assert capsys.readouterr().err == "error: INBOX cannot be opened\n  try: try\n"


def test_a_defect_is_told_without_its_text_and_shown_with_debug(
    probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(fail(ValueError("the text of a message")))
    assert main.run(["probe"]) == 1
    plain = capsys.readouterr().err
    assert plain.startswith("error: unexpected ValueError: a defect of Mailark\n")
    assert "the text of a message" not in plain
    assert "--debug" in plain
    assert main.run(["probe", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    probe(fail(KeyboardInterrupt()))
    assert main.run(["probe"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bakup"], 'no command "bakup" (did you mean "backup"?)'),
        (["--no-such-option"], "--no-such-option"),
        (["probe", "--wrong"], "--wrong"),
    ],
)
def test_a_mistyped_command_line_ends_with_2(
    arguments: list[str], said: str, probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(lambda: None)
    assert main.run(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "--help" in told


def test_the_configuration_may_be_named_before_and_after_the_command(probe: Probe, tmp_path: Path) -> None:
    seen: list[Path | None] = []
    probe(lambda: seen.append(click.get_current_context().find_object(main.Session).config))  # type: ignore[union-attr]
    assert main.run(["--config", str(tmp_path / "a"), "probe"]) == 0
    assert main.run(["probe", "--config", str(tmp_path / "b")]) == 0
    assert seen == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize("typed", [[], ["account"], ["store"], ["hold"]])
def test_a_group_alone_shows_its_commands_in_whole_sentences(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(typed) == 2
    told = capsys.readouterr().err
    assert told.startswith("Usage: mailark")
    assert "Commands:" in told
    assert "..." not in told.partition("Commands:")[2]


def test_a_word_to_leave_out_that_looks_like_an_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["search", "合同", "-草稿"]) == 2
    assert "write NOT before it" in capsys.readouterr().err
    assert main.run(["search", "--limt", "3", "合同"]) == 2
    assert "write NOT before it" not in capsys.readouterr().err


def test_every_command_of_the_table_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in main.COMMANDS:
        assert main.run([name, "--help"]) == 0, name
        assert capsys.readouterr().out.startswith(f"Usage: mailark {name}")


@pytest.mark.parametrize("lines", [1, 9999])
def test_the_reader_of_a_pipe_may_leave_without_a_complaint(lines: int) -> None:
    script = f"""
import click, sys, types
from archiver.cli import main
probe = types.ModuleType("probe")
probe.command = click.Command("probe", callback=lambda: [print("x" * 99) for _ in range({lines})])
sys.modules["archiver.cli.probe"] = probe
main.COMMANDS["probe"] = ""
main.main(["probe"])
"""
    piped = f'{{ sleep 0.3; "{sys.executable}" -c "$0"; }} | true'
    done = subprocess.run(["bash", "-o", "pipefail", "-c", piped, script], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"")


def test_starting_takes_less_than_a_quarter_of_a_second() -> None:
    program = Path(sys.executable).parent / "mailark"
    seconds = cpu_seconds([program, "--version"])
    print(f"mailark --version: {seconds * 1000:.0f} ms of CPU")
    assert seconds < 0.25 * slowness()
