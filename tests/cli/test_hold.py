"""`hold`: what a second try and a typing error are told."""

from __future__ import annotations

from tests.cli.sandbox import Sandbox


def test_what_was_done_already_and_an_era_of_nothing_are_told(sandbox: Sandbox) -> None:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    first = sandbox.run("hold", "add", "Tax audit")
    assert (first.code, first.last.startswith("complete: 1 hold held, ")) == (0, True)
    assert "note:" not in first.err
    again = sandbox.run("hold", "add", "Tax audit")
    assert (again.code, again.last.startswith("complete: the hold stood already, ")) == (0, True)
    mistyped = sandbox.run("hold", "add", "Smith", "--era", "mail-1999")
    assert (mistyped.code, "note: no store has any mail of mail-1999 yet" in mistyped.err) == (0, True)
    assert sandbox.run("hold", "release", "Tax audit", "--yes").code == 0
    for name, told in (("Tax audit", 'the hold "Tax audit" was lifted on 20'), ("Tax", 'no hold is named "Tax"')):
        done = sandbox.run("hold", "release", name, "--yes")
        assert (done.code, told in done.err) == (2, True), done.err
