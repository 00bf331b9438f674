"""`show`: what it says of a message that is not as messages should be."""

from __future__ import annotations

from tests.cli.sandbox import WHEN, Sandbox


def test_the_servers_date_is_not_taken_for_the_senders(sandbox: Sandbox) -> None:
    sandbox.init()
    raw = b"From: Anna Li <anna@example.com>\r\nSubject: undated\r\nDate: 32 Foo 2024\r\n\r\nwords\r\n"
    sandbox.server.append(sandbox.users["sales"], "INBOX", raw, [], WHEN)
    assert sandbox.run("backup").code == 0
    found = sandbox.run("search", "--ids", "subject:undated").out.strip()
    note = "(of the server; the message has no usable date)"
    assert note in sandbox.run("show", found).out.splitlines()[2]
    dated = sandbox.run("search", "--ids", "采购合同").out.strip()
    assert note not in sandbox.run("show", dated).out


def test_of_very_many_recipients_the_rest_is_counted(sandbox: Sandbox) -> None:
    sandbox.init()
    people = ",\r\n ".join(f"p{number}@example.com" for number in range(10_000))
    raw = f"From: anna@example.com\r\nTo: {people}\r\nSubject: to all\r\n\r\nwords\r\n".encode()
    sandbox.server.append(sandbox.users["sales"], "INBOX", raw, [], WHEN)
    assert sandbox.run("backup").code == 0
    found = sandbox.run("search", "--ids", "subject:all").out.strip()
    to = sandbox.run("show", found).out.splitlines()[1]
    assert to.endswith("p59@example.com … and 9,940 more (--headers or --json shows all)")
    assert len(sandbox.run("show", found, "--json").json["to"]) == 10_000
