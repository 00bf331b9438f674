#!/usr/bin/env python3
"""Reads a Mailark archive without Mailark. Needs Python >= 3.11, `cryptography` >= 48, and a Zstandard module
(Python 3.14 has one; else `backports.zstd` or `zstandard`). FORMAT.txt beside this file explains every step.

    python3 reader.py list STORE                 one line a message: SHA-256, bytes, date, subject
    python3 reader.py extract STORE FOLDER       every message as FOLDER/m/<SHA-256>.eml, places as FOLDER/c/*.jsonl
    python3 reader.py join FOLDER                only put together what `tar x` has left in FOLDER

STORE is a folder that holds a copy of one store. The passphrase is asked for, or read from standard input if that is
not a terminal. Only what signed manifests name is read; `--unattested` reads packs that none names as well. The exit
code is 0 only if everything was there and right; everything else is told by name on standard error.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import hmac
import importlib
import io
import json
import re
import sys
import tarfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

Unwrap = Callable[[list[str], bytes], bytes | None]
MEMBER = re.compile(r"m/[0-9a-f]{64}\.(eml|skel|json)|b/[0-9a-f]{64}|c/[0-9A-Za-z_-]{1,64}\.jsonl")
STRAIGHT = re.compile(r"^(packs/[^/]+)/(([0-9a-f]{2})[0-9a-f]{62}\.age)$")
CHUNK = 64 * 1024 + 16
failures: list[str] = []


def fail(what: str) -> None:
    failures.append(what)
    print(f"reader: {what}", file=sys.stderr)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def unzstd(data: bytes) -> bytes:
    """All frames of `data`; skippable frames hold nothing."""
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            return bytes(importlib.import_module(name).decompress(data))
    decompressor = importlib.import_module("zstandard").ZstdDecompressor()
    return bytes(decompressor.stream_reader(io.BytesIO(data), read_across_frames=True).read())


# -- age (https://age-encryption.org/v1): header, file key, payload


def unbase64(text: str | bytes) -> bytes:
    text = text.encode() if isinstance(text, str) else text
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def hkdf(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def age_decrypt(data: bytes, unwraps: Iterable[Unwrap]) -> bytes:
    mark = data.index(b"\n---")
    start = data.index(b"\n", mark + 1) + 1
    file_key = next(filter(None, (unwrap_any(unwrap, data[:mark]) for unwrap in unwraps)), None)
    if file_key is None:
        raise LookupError("no key opens it")
    mac = hmac.digest(hkdf(file_key, b"", b"header"), data[: mark + 4], "sha256")
    if not hmac.compare_digest(mac, unbase64(data[mark + 5 : start - 1])):
        raise ValueError("header altered")
    cipher = ChaCha20Poly1305(hkdf(file_key, data[start : start + 16], b"payload"))
    out, start, number = [], start + 16, 0
    while start < len(data):
        last = start + CHUNK >= len(data)
        out.append(cipher.decrypt(number.to_bytes(11, "big") + bytes([last]), data[start : start + CHUNK], None))
        start, number = start + CHUNK, number + 1
    if not number or (number > 1 and not out[-1]):
        raise ValueError("cut off")
    return b"".join(out)


def unwrap_any(unwrap: Unwrap, header: bytes) -> bytes | None:
    """The file key, from the first stanza that opens."""
    for stanza in header.decode("ascii").split("\n-> ")[1:]:
        arguments, _, body = stanza.partition("\n")
        try:
            file_key = unwrap(arguments.split(" "), unbase64(body.replace("\n", "")))
        except InvalidTag:
            continue
        if file_key is not None:
            return file_key
    return None


def passphrase_key(passphrase: str) -> Unwrap:
    def unwrap(arguments: list[str], body: bytes) -> bytes | None:
        if arguments[0] != "scrypt" or int(arguments[2]) > 20:
            return None
        salt = b"age-encryption.org/v1/scrypt" + unbase64(arguments[1])
        key = Scrypt(salt=salt, length=32, n=1 << int(arguments[2]), r=8, p=1).derive(passphrase.encode())
        return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)

    return unwrap


def secret_of(identity: str) -> bytes:
    """The bytes of `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…` (Bech32, BIP 173)."""
    values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(char) for char in identity.rpartition("1")[2].lower()[:-6]]
    bits = int("".join(f"{value:05b}" for value in values), 2)
    return (bits >> len(values) * 5 % 8).to_bytes(len(values) * 5 // 8, "big")


def identity_key(identity: str) -> Unwrap:
    secret = secret_of(identity)
    if identity.startswith("AGE-SECRET-KEY-PQ-1"):
        seeds = hashlib.shake_256(secret).digest(96)
        hybrid = MLKEM768X25519PrivateKey(
            MLKEM768PrivateKey.from_seed_bytes(seeds[:64]), X25519PrivateKey.from_private_bytes(seeds[64:])
        )
        suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

    def unwrap(arguments: list[str], body: bytes) -> bytes | None:
        if arguments[0] == "mlkem768x25519" and identity.startswith("AGE-SECRET-KEY-PQ-1"):
            return suite.decrypt(unbase64(arguments[1]) + body, hybrid, b"age-encryption.org/mlkem768x25519")
        if arguments[0] == "X25519" and identity.startswith("AGE-SECRET-KEY-1"):
            mine, share = X25519PrivateKey.from_private_bytes(secret), unbase64(arguments[1])
            shared = mine.exchange(X25519PublicKey.from_public_bytes(share))
            salt = share + mine.public_key().public_bytes_raw()
            key = hkdf(shared, salt, b"age-encryption.org/v1/X25519")
            return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
        return None

    return unwrap


# -- keys and manifests: who made what lies here


def written(passphrase: str) -> str:
    """As the sheet writes it: a generated passphrase in groups of five, any other as it was typed (NFC)."""
    look_alike = str.maketrans("oil", "011", " -\t\u2010\u2011\u2013\u2212\u3000")
    symbols = unicodedata.normalize("NFKC", passphrase).strip().lower().translate(look_alike)
    if re.fullmatch("[0-9a-hjkmnp-tv-z]{30}", symbols):
        return "-".join(symbols[start : start + 5] for start in range(0, 30, 5))
    return unicodedata.normalize("NFC", passphrase).strip()


def unlock(store: Path, passphrase: str) -> tuple[Ed25519PublicKey, dict[str, list[Unwrap]]]:
    """The archive's root key, and the keys of each era."""
    sealed = (store / "keys/recovery.age").read_bytes()
    try:
        recovery = age_decrypt(sealed, [passphrase_key(written(passphrase))]).decode().splitlines()[-1]
    except LookupError:
        sys.exit("reader: the passphrase is wrong")
    seed = hkdf(secret_of(recovery), None, b"mailark 1\nroot signing key")
    root = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    if load_pem_public_key((store / "keys/root.pem").read_bytes()) != root:
        sys.exit("reader: keys/root.pem is not the root key of this archive")
    eras: dict[str, list[Unwrap]] = {}
    for path in sorted((store / "keys/era").iterdir()):
        try:
            lines = age_decrypt(path.read_bytes(), [identity_key(recovery)]).decode().splitlines()
            *note, signature = (line.removeprefix("# ") for line in lines[:-1])
            signed = "".join(f"{line}\n" for line in note).encode()
            root.verify(unbase64(signature.removeprefix("signature ")), signed)
            era, generation, _ = path.name.split(".")
            if f"era {era}" not in note or f"generation {generation}" not in note:
                raise ValueError
            eras.setdefault(era, []).append(identity_key(lines[-1]))
        except (ValueError, LookupError, InvalidTag, InvalidSignature):
            fail(f"keys/era/{path.name} is damaged or not of this archive")
    return root, eras


def attested(store: Path, root: Ed25519PublicKey) -> Iterator[tuple[str, str]]:
    """(name, SHA-256) of every object in a manifest that is signed by a writer whom the root has enrolled."""
    for path in sorted((store / "keys/writers").iterdir()):
        note, _, signature = path.read_bytes().rpartition(b"signature ")
        name, chain, prev = path, store / "manifests" / path.stem, "0" * 64
        try:
            root.verify(unbase64(signature.strip()), note)
            writer = load_pem_public_key(note[note.index(b"-----BEGIN") :])
            if not isinstance(writer, Ed25519PublicKey):
                raise ValueError
            for number, name in enumerate(sorted(chain.iterdir()) if chain.is_dir() else [], 1):
                body, _, signature = name.read_bytes().rpartition(b"\nsignature ")
                writer.verify(unbase64(signature.strip()), body)
                lines = body.decode("ascii").splitlines()
                if lines[2:5] != [f"writer {path.stem}", f"seq {number}", f"prev {prev}"]:
                    raise ValueError
                prev = sha256(name.read_bytes())
                yield from ((line.split(" ")[3], line.split(" ")[1]) for line in lines if line.startswith("object "))
        except (ValueError, InvalidSignature):
            fail(f"{name.relative_to(store)} is damaged or does not follow the one before; nothing after it was read")


def place(store: Path, name: str) -> Path:
    """Where an object lies: packs under their names, or straight in the folder of their era, as in Google Drive."""
    path = store / name
    return path if path.exists() or not name.startswith("packs/") else path.parents[1] / path.name


def plaintexts(store: Path, prefix: str, passphrase: str, unattested: bool) -> Iterator[tuple[str, bytes]]:
    """(name, plaintext) of every object below `prefix`."""
    root, eras = unlock(store, passphrase)
    named = {name: digest for name, digest in attested(store, root) if name.startswith(prefix)}
    for path in sorted((store / prefix).rglob("*.age")):
        name = STRAIGHT.sub(r"\1/\3/\2", path.relative_to(store).as_posix())
        if unattested:
            named.setdefault(name, path.stem)
        elif name not in named:
            fail(f"{name} is named by no manifest and was left out (see --unattested)")
    for name, digest in named.items():
        try:
            data = place(store, name).read_bytes()
            if sha256(data) != digest:
                raise ValueError("it has another SHA-256")
            yield name, unzstd(age_decrypt(data, eras[name.split("/")[1]]))
        except (OSError, LookupError, ValueError, InvalidTag) as error:
            fail(f"{name} cannot be read: {type(error).__name__} {error}")


# -- messages


def join(folder: Path) -> None:
    """m/<id>.json + m/<id>.skel + b/<segment>… -> m/<id>.eml; then the parts go, if nothing is missing."""
    for path in sorted((folder / "m").glob("*.json")):
        try:
            recipe, skeleton = json.loads(path.read_bytes()), path.with_suffix(".skel").read_bytes()
            out, position = [], 0
            for part in recipe["segments"]:
                text = base64.b64encode((folder / "b" / part["name"]).read_bytes()).decode()
                lines = (text[start : start + part["line"]] for start in range(0, len(text), part["line"]))
                out += [skeleton[position : part["at"]], part["eol"].join(lines).encode()]
                position = part["at"]
            message = b"".join([*out, skeleton[position:]])
            if not sha256(message) == recipe["sha256"] == path.stem:
                raise ValueError("put together, it has another SHA-256")
            path.with_suffix(".eml").write_bytes(message)
            path.unlink()
            path.with_suffix(".skel").unlink()
        except (OSError, ValueError, KeyError) as error:
            fail(f"message {path.stem}: {type(error).__name__} {error}")
    if not failures:
        for path in (folder / "b").glob("*"):
            path.unlink()


def untar(pack: str, plain: bytes, folder: Path) -> None:
    """Like `tar x`, for the few names that a pack can hold; catalog lines get the pack's hash into their name."""
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None or not MEMBER.fullmatch(member.name):
                raise ValueError("it holds a member that no pack has")
            name = f"c/{pack}.{member.name[2:]}" if member.name.startswith("c/") else member.name
            (folder / name).write_bytes(content.read())


def extract(store: Path, folder: Path, passphrase: str, unattested: bool) -> None:
    for kind in "mbc":
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, plain in plaintexts(store, "packs", passphrase, unattested):
        try:
            untar(Path(name).stem, plain, folder)
        except (tarfile.TarError, OSError, ValueError) as error:
            fail(f"{name} cannot be unpacked: {type(error).__name__} {error}")
    join(folder)
    for path in (folder / "m").glob("*.eml"):
        if sha256(path.read_bytes()) != path.stem:
            fail(f"{path} has another SHA-256 than its name")


def listing(store: Path, passphrase: str, unattested: bool) -> None:
    for _, plain in plaintexts(store, "catalog", passphrase, unattested):
        for line in map(json.loads, plain.splitlines()):
            if line["t"] == "message":
                subject = "".join(char if char.isprintable() else " " for char in line.get("subject", ""))
                print(line["id"], line["size"], line["date"], subject, sep="\t")


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--unattested"]
    unattested = len(arguments) < len(sys.argv) - 1
    if arguments[:1] == ["join"] and len(arguments) == 2:
        join(Path(arguments[1]))
    elif (arguments[:1], len(arguments)) in ((["list"], 2), (["extract"], 3)):
        passphrase = getpass.getpass("Passphrase: ") if sys.stdin.isatty() else sys.stdin.readline()
        if arguments[0] == "list":
            listing(Path(arguments[1]), passphrase, unattested)
        else:
            extract(Path(arguments[1]), Path(arguments[2]), passphrase, unattested)
            print(f"{sum(1 for _ in (Path(arguments[2]) / 'm').glob('*.eml'))} messages", file=sys.stderr)
    else:
        sys.exit(__doc__)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
