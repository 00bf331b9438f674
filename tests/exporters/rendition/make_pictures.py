"""Makes the kept pictures anew: python -m tests.exporters.rendition.make_pictures. Look at what changed before you keep
it.
"""

from __future__ import annotations

from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Tier
from tests.exporters.rendition.golden_mails import golden_mails
from tests.exporters.rendition.likeness import FOLDER, FONTS, faces, pictures
from tests.exporters.rendition.mails import outgoing


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    for name, raw in golden_mails().items():
        for number, picture in enumerate(pictures(attempt(outgoing(raw), Tier.HTML).pdf), 1):
            file = FOLDER / f"{name}-{number}.png"
            picture.quantize(16).save(file, optimize=True)
            print(f"{file.name}: {file.stat().st_size:,} bytes")
    FONTS.write_text("\n".join(faces()) + "\n", "ascii")


if __name__ == "__main__":
    main()
