"""The same files in other implementations of age: the age command, pyrage, typage, and the public test vectors."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import zlib
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyrage
import pytest

from archiver.errors import AuthError, IntegrityError
from archiver.vault import age, keys
from tests.vault.terminal import at_terminal

SIZES = (0, 1, 65535, 65536, 65537, 200_000)
PASSPHRASE = "correct 正确 horse"
FILES = Path(__file__).parent / "typage"

needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="the age command is not installed")


def sample(size: int) -> bytes:
    return hashlib.shake_256(b"sample").digest(size)


@needs_age
@pytest.mark.parametrize("size", SIZES)
def test_age_command_x25519(tmp_path: Path, size: int) -> None:
    identity = age.X25519Identity.generate()
    (tmp_path / "key").write_text(f"# a comment\n{identity}\n")
    (tmp_path / "ours.age").write_bytes(age.encrypt(sample(size), [identity.recipient()]))
    opened = subprocess.run(
        ["age", "-d", "-i", "key", "ours.age"], cwd=tmp_path, capture_output=True, timeout=30, check=True
    )
    assert opened.stdout == sample(size)
    sealed = subprocess.run(
        ["age", "-r", str(identity.recipient())], input=sample(size), capture_output=True, timeout=30, check=True
    )
    assert age.decrypt(sealed.stdout, [identity]) == sample(size)


@needs_age
def test_age_keygen_agrees_on_the_public_key(tmp_path: Path) -> None:
    subprocess.run(["age-keygen", "-o", "key"], cwd=tmp_path, capture_output=True, timeout=30, check=True)
    text = (tmp_path / "key").read_text()
    identity = age.parse_identity(text.splitlines()[-1])
    assert f"public key: {identity.recipient()}\n" in text


@needs_age
@pytest.mark.slow
def test_age_command_passphrase_both_ways(tmp_path: Path) -> None:
    (tmp_path / "ours.age").write_bytes(age.encrypt(sample(70_000), [age.ScryptRecipient(PASSPHRASE)]))
    at_terminal(["age", "-d", "-o", "opened", "ours.age"], tmp_path, PASSPHRASE)
    assert (tmp_path / "opened").read_bytes() == sample(70_000)
    at_terminal(["age", "-p", "-o", "theirs.age", "opened"], tmp_path, PASSPHRASE)
    sealed = (tmp_path / "theirs.age").read_bytes()
    assert age.decrypt(sealed, [age.ScryptIdentity(PASSPHRASE)]) == sample(70_000)
    with pytest.raises(AuthError):
        age.decrypt(sealed, [age.ScryptIdentity(PASSPHRASE + "x")])


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_x25519(size: int) -> None:
    ours = age.X25519Identity.generate()
    theirs = pyrage.x25519.Identity.from_str(str(ours))
    assert str(theirs.to_public()) == str(ours.recipient())
    assert pyrage.decrypt(age.encrypt(sample(size), [ours.recipient()]), [theirs]) == sample(size)
    sealed = pyrage.encrypt(sample(size), [theirs.to_public()])
    assert age.decrypt(sealed, [ours], max_stanzas=8) == sample(size)  # it adds stanzas of no meaning


@pytest.mark.slow
def test_pyrage_passphrase() -> None:
    sealed = age.encrypt(b"mail", [age.ScryptRecipient(PASSPHRASE, 10)])
    assert pyrage.passphrase.decrypt(sealed, PASSPHRASE) == b"mail"
    assert age.decrypt(pyrage.passphrase.encrypt(b"mail", PASSPHRASE), [age.ScryptIdentity(PASSPHRASE)]) == b"mail"


@pytest.fixture(scope="session")
def typage(request: pytest.FixtureRequest) -> Path:
    """A folder with typage and the vectors installed as its lock file says, kept in pytest's cache."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm or node is not installed")
    parts = [(FILES / name).read_bytes() for name in ("package.json", "package-lock.json", ".npmrc", "run.mjs")]
    cache = request.config.cache
    base = cache.mkdir("typage") if cache else Path(tempfile.mkdtemp())
    folder = Path(base) / hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    if not folder.exists():
        fresh = Path(tempfile.mkdtemp(dir=base))
        shutil.copytree(FILES, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            shutil.rmtree(fresh)
            pytest.skip(f"npm cannot install typage here: {done.stderr.strip()[-200:]}")
        try:
            fresh.rename(folder)
        except OSError:  # another test process was faster
            shutil.rmtree(fresh)
    return folder


def ask(folder: Path, *requests: dict[str, Any]) -> list[Any]:
    done = subprocess.run(
        ["node", "run.mjs"],
        cwd=folder,
        input=json.dumps(requests).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: list[Any] = json.loads(done.stdout)
    return answers


def b64(data: bytes) -> str:
    return b64encode(data).decode()


@pytest.mark.parametrize("kind", [age.HybridIdentity, age.X25519Identity])
def test_typage_both_ways(typage: Path, kind: type[age.HybridIdentity | age.X25519Identity]) -> None:
    ours = kind.generate()
    data = [sample(size) for size in SIZES]
    sealed = [age.encrypt(one, [ours.recipient()]) for one in data]
    answers = ask(
        typage,
        {"do": "recipient", "identity": str(ours)},
        *({"do": "decrypt", "identities": [str(ours)], "data": b64(one)} for one in sealed),
        *({"do": "encrypt", "recipients": [str(ours.recipient())], "data": b64(one)} for one in data),
    )
    assert answers[0] == str(ours.recipient())
    assert [b64decode(answer) for answer in answers[1 : len(data) + 1]] == data
    assert [age.decrypt(b64decode(answer), [ours]) for answer in answers[len(data) + 1 :]] == data


def test_typage_keys_and_passphrases(typage: Path) -> None:
    sealed = age.encrypt(b"mail", [age.ScryptRecipient(PASSPHRASE, 10)])
    generated, opened, theirs = ask(
        typage,
        {"do": "generate"},
        {"do": "decrypt", "passphrase": PASSPHRASE, "data": b64(sealed)},
        {"do": "encrypt", "passphrase": PASSPHRASE, "data": b64(b"post")},
    )
    assert b64decode(opened) == b"mail"
    assert age.decrypt(b64decode(theirs), [age.ScryptIdentity(PASSPHRASE)]) == b"post"
    assert str(age.parse_identity(generated)) == generated
    assert ask(typage, {"do": "recipient", "identity": generated}) == [str(age.parse_identity(generated).recipient())]


@pytest.mark.parametrize("classic", [False, True])
def test_typage_walks_from_the_passphrase_to_a_pack(typage: Path, classic: bool) -> None:
    """What the recovery sheet tells to do with the age command, post-quantum keys included."""
    passphrase = keys.new_passphrase()
    new = keys.create(passphrase, classic=classic, generated=True, first_year=2026, years=1, log_n=10)
    pack = age.encrypt(b"a pack", [new.machine.recipient("mail-2026")])
    opened = new.objects["keys/recovery.age"]
    text = b64decode(ask(typage, {"do": "decrypt", "passphrase": passphrase, "data": b64(opened)})[0])
    for sealed in (new.objects["keys/era/mail-2026.1.age"], pack):
        identity = text.decode().splitlines()[-1]
        assert all(line.startswith("# ") for line in text.decode().splitlines()[:-1])
        text = b64decode(ask(typage, {"do": "decrypt", "identities": [identity], "data": b64(sealed)})[0])
    assert text == b"a pack"


def outcome(sealed: bytes, fields: dict[str, list[str]]) -> str:
    """What we make of a vector, in the vectors' words; they tell three kinds of damage apart, we have one."""
    identities: list[age.Identity] = [age.parse_identity(text) for text in fields["identity"]]
    identities += [age.ScryptIdentity(text) for text in fields["passphrase"]]
    try:
        data = age.decrypt(sealed, identities, max_stanzas=30)
    except AuthError:
        return "no match"
    except IntegrityError:
        return "failure"
    return "success" if hashlib.sha256(data).hexdigest() == fields["payload"][0] else "other bytes"


def test_public_vectors(typage: Path) -> None:
    """C2SP CCTV: every vector but those of ASCII armour, which the archive does not use."""
    vectors: dict[str, str] = ask(typage, {"do": "vectors"})[0]
    met: Counter[str] = Counter()
    for name, text in vectors.items():
        head, _, sealed = b64decode(text).partition(b"\n\n")
        fields: dict[str, list[str]] = defaultdict(list)
        for line in head.decode().splitlines():
            key, _, value = line.partition(": ")
            fields[key].append(value)
        if "armored" in fields:
            continue
        sealed = zlib.decompress(sealed) if fields["compressed"] == ["zlib"] else sealed
        expected = "failure" if fields["expect"][0].endswith("failure") else fields["expect"][0]
        assert outcome(sealed, fields) == expected, (name, fields["comment"])
        met[expected] += 1
    print(f"vectors met: {dict(met)}")
    assert met.total() >= 110
