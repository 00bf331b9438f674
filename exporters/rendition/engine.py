"""WeasyPrint, in this one file: HTML to PDF/A-3u with nothing fetched from anywhere.

Importing this takes a second: import it where pages are made, not at the start of a program.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from archiver.errors import ConfigError, MailarkError
from exporters.rendition import fonts

fonts.use()
os.environ["SOURCE_DATE_EPOCH"] = "0"  # else fontTools writes the time of now into the fonts that it saves
try:
    import weasyprint  # type: ignore[import-untyped]
    from weasyprint.text.ffi import pango  # type: ignore[import-untyped]
    from weasyprint.text.fonts import FontConfiguration  # type: ignore[import-untyped]
    from weasyprint.urls import URLFetcher, URLFetcherResponse  # type: ignore[import-untyped]

    from exporters.rendition import engine_fonts
except ImportError as error:
    raise ConfigError("making PDF needs an extra", "install it: pip install 'mailark[pdf]'") from error
except OSError as error:
    raise ConfigError("Pango is missing: no PDF can be made", f"install it: {fonts.INSTALL_PANGO}") from error

TEMPLATE = Path(__file__).with_name("template.css")
A4_WIDTH = 210 / 25.4 * 96
"""Width of a page, in CSS pixels (1/96 inch)."""

_OPTIONS: dict[str, Any] = {
    "pdf_variant": "pdf/a-3u",
    "presentational_hints": True,
    "dpi": 150,
    "jpeg_quality": 80,
}


class _Images(URLFetcher):  # type: ignore[misc]
    """Hands out the given images; every other address is refused, whatever its scheme: no network, no disk."""

    def __init__(self, images: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)
        self._images = images

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
        """The image at this very address. Raises ValueError, which WeasyPrint takes for a missing image."""
        if url not in self._images:
            raise ValueError("not an image of this message")
        return URLFetcherResponse(url, self._images[url])


class _PageCount(logging.Filter):
    """Ends a layout that gets too long: WeasyPrint tells its progress logger of every page, and lets exceptions out."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def filter(self, record: logging.LogRecord) -> bool:
        """Nothing is logged; raises MailarkError at the page after the limit."""
        if record.msg == _PAGE_MESSAGE and isinstance(record.args, tuple) and int(str(record.args[0])) > self._limit:
            raise MailarkError(f"more than {self._limit} pages")
        return False


_PAGE_MESSAGE = "Step 5 - Creating layout - Page %d"
_PROGRESS = logging.getLogger("weasyprint.progress")
_PROGRESS.propagate = False
# WeasyPrint's warnings quote the message.
logging.getLogger("weasyprint").setLevel(logging.CRITICAL + 1)
logging.getLogger("fontTools").setLevel(logging.CRITICAL + 1)


engine_fonts.install()


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever a hostile page makes WeasyPrint raise, as a MailarkError; without its text, which may quote the page."""
    try:
        yield
    except (MailarkError, RecursionError, MemoryError):
        raise
    except Exception as error:
        raise MailarkError(f"the page cannot be laid out: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Layout:
    """Pages laid out, not yet written."""

    document: Any

    @property
    def pages(self) -> Sequence[Any]:
        """WeasyPrint's pages, in order."""
        pages: Sequence[Any] = self.document.pages
        return pages

    def write(self, scale: float = 1) -> bytes:
        """The pages as PDF/A-3u, all lengths multiplied by `scale`. The same pages give the same bytes."""
        with _translated():
            pdf: bytes = self.document.write_pdf(zoom=scale, finisher=engine_fonts.finish, **_OPTIONS)
            return pdf


def lay_out(html: str, images: Mapping[str, bytes]) -> bytes:
    """A whole HTML document as PDF/A-3u; `images`: the addresses it may use. Nothing else is ever fetched.

    Raises MailarkError when WeasyPrint fails.
    """
    return compose(html, images).write()


def compose(html: str, images: Mapping[str, bytes], limit: int = 10_000) -> Layout:
    """The pages of a whole HTML document in our template's style.

    Raises MailarkError beyond `limit` pages and when WeasyPrint fails, RecursionError and MemoryError as they come.
    """
    counter = _PageCount(limit)
    _PROGRESS.addFilter(counter)
    _PROGRESS.setLevel(logging.INFO)
    try:
        with _translated():
            document = weasyprint.HTML(string=html, url_fetcher=_Images(images))
            return Layout(document.render(font_config=_fonts(), stylesheets=[_template()], **_OPTIONS))
    finally:
        _PROGRESS.removeFilter(counter)


def wide(times: float) -> str:
    """CSS for pages `times` as wide and high as A4, all but the body as much larger, to be written at 1 / `times`."""
    if times == 1:
        return ""
    size = f"size: {210 * times:.2f}mm {297 * times:.2f}mm !important; font-size: {7 * times:.2f}pt !important"
    margin = f"margin: {22 * times:.2f}mm {18 * times:.2f}mm {21 * times:.2f}mm !important"
    return (
        f"@page {{ {size}; {margin} }} body > :is(header, section) {{ font-size: {9 * times:.2f}pt !important }}"
        f" body > footer {{ font-size: {8 * times:.2f}pt !important }}"
    )


@cache
def fingerprint() -> str:
    """What the look of a page depends on: versions of the libraries, the fonts, the template."""
    own = hashlib.sha256(TEMPLATE.read_bytes()).hexdigest()
    major, minor = divmod(int(pango.pango_version()), 10_000)
    return (
        f"weasyprint {weasyprint.__version__}, pango {major}.{minor // 100}.{minor % 100}, harfbuzz {fonts.harfbuzz()},"
        f" fontconfig {fonts.version()}, fonts {fonts.fingerprint()[:16]}, template {own[:16]}"
    )


@cache
def _fonts() -> Any:
    fonts.require()
    return FontConfiguration()


@cache
def _template() -> Any:
    return weasyprint.CSS(string=TEMPLATE.read_text("utf-8"), font_config=_fonts(), url_fetcher=_Images({}))
