"""The engine: nothing is fetched, nothing is logged, the same page gives the same bytes."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest

from archiver.errors import MailarkError
from exporters.rendition import engine, fonts
from tests.exporters.rendition.mails import picture

SECRET = "the secret that lies on the disk 0815"


class Watch:
    """Notes, while it is `on`, every file that is opened and every connection that is begun in this process (PEP 578).

    A hook stays until the process ends, when globals are gone already: it needs nothing but itself.
    """

    def __init__(self) -> None:
        self.on = False
        self.opened: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in ("open", "socket.connect", "socket.getaddrinfo", "urllib.Request"):
            self.opened.append(f"{event} {arguments[0]!s}")


watch = Watch()
sys.addaudithook(watch)


@pytest.fixture
def watched() -> Iterator[Watch]:
    watch.opened.clear()
    yield watch
    watch.on = False


def is_stream(thing: pikepdf.Object) -> bool:
    return isinstance(thing, pikepdf.Stream)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server that keeps what it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def ways(address: str) -> str:
    """Every way HTML and CSS have to ask for an address."""
    return (
        f"<!DOCTYPE html><html lang=en><head><base href='{address}'><link rel=stylesheet href='{address}'>"
        f"<link rel=attachment href='{address}' title=x><link rel=icon href='{address}'><style>@import '{address}';"
        f"@import url({address}); @font-face{{font-family:y;src:url({address})}}"
        f"@page{{background:url({address});@top-center{{content:url({address})}}}}"
        f"p{{font-family:y;background:url({address});list-style-image:url({address});content:url({address});"
        f"border-image:url({address}) 5;mask:url({address})}} p::before{{content:url({address})}}"
        f"</style></head><body style=\"background:url('{address}')\"><p>text</p><img src='{address}'>"
        f"<img srcset='{address} 2x'><picture><source srcset='{address}'></picture><object data='{address}'>o</object>"
        f"<embed src='{address}'><iframe src='{address}'></iframe><video src='{address}' poster='{address}'></video>"
        f"<input type=image src='{address}'>"
        f"<table background='{address}'><tr><td background='{address}'>c</td></tr></table>"
        f"<svg><image href='{address}'/><use href='{address}#a'/></svg><a rel=attachment href='{address}'>a</a>"
        f"<svg style='fill:url({address})'><rect width=9 height=9 fill='url({address}#f)'/></svg></body></html>"
    )


@pytest.mark.parametrize("kind", ["http", "file", "path", "data", "ftp"])
def test_nothing_is_fetched(kind: str, server: tuple[str, list[str]], watched: Watch, tmp_path: Path) -> None:
    url, asked = server
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    addresses = {
        "http": f"{url}/x",
        "file": secret.as_uri(),
        "path": str(secret),
        "data": f"data:text/plain,{SECRET}",
        "ftp": url.replace("http", "ftp"),
    }
    engine.lay_out("<p>A</p>", {})  # fonts and template are read now, and not below
    watched.on = True
    pdf = engine.lay_out(ways(addresses[kind]), {})
    watched.on = False
    assert asked == []
    assert [event for event in watched.opened if "secret" in event or "connect" in event or "urllib" in event] == []
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert "/EmbeddedFiles" not in document.Root.get("/Names", {})
        assert [thing for thing in document.objects if is_stream(thing) and SECRET.encode() in thing.read_bytes()] == []


def test_the_watch_sees_what_the_default_fetcher_does(server: tuple[str, list[str]], watched: Watch) -> None:
    """Were the fetcher WeasyPrint's own, the test above would fail."""
    import weasyprint  # type: ignore[import-untyped]

    url, asked = server
    watched.on = True
    weasyprint.HTML(string=ways(f"{url}/x")).write_pdf()
    watched.on = False
    assert asked
    assert [event for event in watched.opened if "connect" in event]


def test_a_colour_profile_from_elsewhere_is_refused() -> None:
    """WeasyPrint lets this error out; the sanitiser lets no such rule in."""
    html = "<style>@color-profile --c{src:url(file:///etc/passwd)} p{color:color(--c 1 0 0)}</style><p>x"
    with pytest.raises(MailarkError, match="cannot be laid out: URLFetchingError"):
        engine.lay_out(html, {})


def test_given_images_are_shown() -> None:
    html = "<!DOCTYPE html><html lang=en><body><img src='cid:one'><img src='cid:other'></body></html>"
    with pikepdf.open(io.BytesIO(engine.lay_out(html, {"cid:one": picture(40, 30)}))) as document:
        shown = [thing for thing in document.objects if is_stream(thing) and thing.get("/Subtype") == "/Image"]
        assert [(int(image.Width), int(image.Height)) for image in shown] == [(40, 30)]


def test_a_layout_ends_at_its_limit() -> None:
    html = f"<!DOCTYPE html><html lang=en><body>{'<p style=break-after:page>x' * 50}</body></html>"
    assert len(engine.compose(html, {}, 50).pages) == 50
    with pytest.raises(MailarkError, match="more than 49 pages"):
        engine.compose(html, {}, 49)


def test_nothing_of_a_message_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        engine.lay_out("<p style='colour:CONTENT;unknown:CONTENT'>\U0002ebf0<img src='cid:CONTENT'><style>CONTENT{", {})
    assert "CONTENT" not in caplog.text
    assert "CONTENT" not in "".join(capfd.readouterr())


def test_what_the_library_raises_becomes_ours_without_content() -> None:
    with pytest.raises(MailarkError) as raised:
        engine.compose("<p style='font-size:1e9px'>CONTENT" * 2, {}).write()
    assert "CONTENT" not in str(raised.value)


def test_other_processes_make_the_same_bytes() -> None:
    """With other hash seeds, zones and languages of the machine."""
    html = "<!DOCTYPE html><html lang=zh-CN><b>合同 A</b> 中文 <i>B</i> 😀 ①"
    program = (
        "import sys; from exporters.rendition import engine; sys.stdout.buffer.write(engine.lay_out(sys.argv[1], {}))"
    )
    settings = (("0", "UTC", "C.UTF-8"), ("1", "Asia/Shanghai", "C"), ("77", "America/Lima", "ja_JP.UTF-8"))
    made = set()
    for seed, zone, lang in settings:
        environment = {"PYTHONHASHSEED": seed, "TZ": zone, "LANG": lang, "LANGUAGE": lang[:2], "PATH": "/usr/bin"}
        command = [sys.executable, "-X", "utf8", "-c", program, html]
        made.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(made) == 1


def test_the_fingerprint_names_all_that_a_page_depends_on() -> None:
    told = engine.fingerprint()
    for word in ("weasyprint 70.0", "pango 1.", "harfbuzz ", "fontconfig 2", "fonts ", "template "):
        assert word in told
    assert fonts.fingerprint()[:16] in told


def test_a_wide_page_written_small_is_a_page_of_a4() -> None:
    html = f"<!DOCTYPE html><html lang=en><head><style>{engine.wide(2)}</style></head><body>x</body></html>"
    document = pypdfium2.PdfDocument(engine.compose(html, {}).write(1 / 2))
    assert [round(length) for length in document[0].get_size()] == [595, 842]
