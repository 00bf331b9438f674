"""The keys of an archive: passphrase -> recovery identity -> era identities -> file keys; and a machine's own keys.

The recovery identity opens the small era files, one for each retention class and year, made ahead; an era identity
opens the packs of its era. So a lost era key costs one year, a destroyed one shreds it, and a machine that holds the
public halves alone archives without being able to read. Era files carry the root's signature (see `signing`): whoever
knows a public key could otherwise slip in an era key of his own and read what is archived under it.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archiver.errors import AuthError, ConfigError, IntegrityError, ObjectMissingError
from archiver.vault import age, signing
from archiver.vault.files import read_private, write_private
from archiver.vault.passphrase import check_strength, is_generated, looks_mistyped, new_passphrase, normalise
from archiver.vault.recipients import CHOSEN_LOG_N, HybridIdentity, Identity, Recipient, X25519Identity
from archiver.vault.signing import verify_writers

__all__ = ["KeyRing", "Machine", "NewArchive", "create", "era_of", "new_passphrase", "unlock", "verify_writers"]

RECOVERY = "keys/recovery.age"
CLASS = "mail"
GENERATED_LOG_N = 12
"""Stretching makes guesses dear. Of 130 random bits nobody guesses one in 2**100, stretched or not, so a passphrase
whose check symbols prove that it was generated is stretched for 10 ms only where each nightly run must open a file."""
_ERA_NAME = re.compile(r"keys/era/([a-z]{1,32}-[0-9]{4})\.([1-9][0-9]{0,3})\.age")
_MAX_STANZAS = 16

Pair = X25519Identity | HybridIdentity


def era_of(when: datetime) -> str:
    """The era of something archived at `when` (aware): class and the year in UTC, such as `mail-2026`."""
    return f"{CLASS}-{when.astimezone(UTC).year:04d}"


class KeyRing:
    """Every key of an archive, for whoever knows the passphrase. Era files are fetched and opened when first needed.

    `get` gives an object's bytes by name, `names` are (at least) the store's names below `keys/era/`.
    """

    def __init__(self, recovery: Pair, get: Callable[[str], bytes], names: Iterable[str]) -> None:
        self.recovery = recovery
        self._get = get
        self._names = tuple(sorted(name for name in names if _ERA_NAME.fullmatch(name)))
        self._opened: dict[str, tuple[Pair, ...]] = {}

    @cached_property
    def root(self) -> Ed25519PrivateKey:
        """The archive's root signing key."""
        return signing.root_key(self.recovery.secret)

    @cached_property
    def archive(self) -> str:
        """The archive id, 32 hex digits."""
        return signing.archive_id(self.root.public_key())

    def leaf_salt_key(self, writer: str) -> bytes:
        """32 bytes: the salt key of a writer's Merkle leaves, so that its manifests can be proved when it is gone."""
        return signing.derive(self.recovery.secret, "leaf salts", writer)

    @property
    def eras(self) -> tuple[str, ...]:
        """The eras that have a key, sorted."""
        return tuple(sorted({_era_and_generation(name)[0] for name in self._names}))

    def identity(self, era: str) -> Identity:
        """The newest identity of `era`. ObjectMissingError: it has none; IntegrityError: its file was altered."""
        return self.identities(era)[0]

    def identities(self, era: str) -> tuple[Identity, ...]:
        """All identities of `era`, newest generation first; errors as `identity`."""
        if era not in self._opened:
            names = [name for name in self._names if _era_and_generation(name)[0] == era]
            if not names:
                raise ObjectMissingError(f"the archive has no key of {era}", "it expired, or this store has lost it")
            names.sort(key=lambda name: -_era_and_generation(name)[1])
            self._opened[era] = tuple(self._open(name) for name in names)
        return self._opened[era]

    def recipient(self, era: str) -> Recipient:
        """The public half of `identity`."""
        return self.identity(era).recipient()

    def check_root(self, data: bytes) -> None:
        """IntegrityError unless `data` is the `keys/root.pem` that belongs to the recovery identity."""
        if data != signing.write_pem(self.root.public_key()):
            raise IntegrityError("keys/root.pem is not the root key of this archive")

    def era_objects(self, first_year: int, years: int, generation: int = 1) -> dict[str, bytes]:
        """New era identities, of the recovery identity's kind, sealed to it: object names and bytes."""
        kind = type(self.recovery)
        made = {}
        for year in range(first_year, first_year + years):
            name = f"keys/era/{CLASS}-{year:04d}.{generation}.age"
            made[name] = age.encrypt(self._era_file(name, kind.generate()), [self.recovery.recipient()])
        return made

    def enrol(self, *, year: int, write_only: bool = False) -> tuple[str, bytes, Machine]:
        """A new writer for `year` and later: name and bytes of its enrolment, and the machine's keys.

        Era keys of `year` and later must be sound (errors as `identity`); older ones are only taken along.
        """
        recipients = {era: str(self.recipient(era)) for era in self.eras if int(era[-4:]) >= year}
        sealed = {} if write_only else {name: self._get(name) for name in self._names}
        writer = secrets.token_hex(8)
        machine = Machine(
            archive=self.archive,
            writer=writer,
            root=self.root.public_key(),
            recipients=recipients,
            keyring=None if write_only else KeyRing(self.recovery, _lookup(sealed), sealed),
            leaf_salt_key=self.leaf_salt_key(writer),
            _secret=secrets.token_bytes(32),
        )
        name, data = signing.enrolment(self.root, machine.writer, machine.signing_key.public_key())
        return name, data, machine

    def to_json(self) -> dict[str, object]:
        """Everything in it, secrets included, to be sealed in a machine's file."""
        sealed = {name: base64.b64encode(self._get(name)).decode("ascii") for name in self._names}
        return {"recovery": str(self.recovery), "eras": sealed}

    @classmethod
    def from_json(cls, value: dict[str, object]) -> KeyRing:
        """The reverse of `to_json`; IntegrityError when it is not of that form."""
        recovery, eras = value.get("recovery"), value.get("eras")
        if not isinstance(recovery, str) or not isinstance(eras, dict):
            raise IntegrityError("a machine's key file is damaged")
        sealed = {str(name): base64.b64decode(data, validate=True) for name, data in eras.items()}
        return cls(age.parse_identity(recovery), _lookup(sealed), sealed)

    def _era_file(self, name: str, identity: Pair) -> bytes:
        """An identity file as age reads it, with what the root states of it in comments."""
        era, generation = _era_and_generation(name)
        lines = (("archive", self.archive), ("era", era), ("generation", str(generation)))
        note = signing.statement("era key", *lines, ("recipient", str(identity.recipient())))
        signed = note + f"signature {signing.sign(self.root, note)}\n".encode("ascii")
        return b"".join(b"# " + line for line in signed.splitlines(keepends=True)) + f"{identity}\n".encode("ascii")

    def _open(self, name: str) -> Pair:
        try:
            text = age.decrypt(self._get(name), [self.recovery], max_stanzas=_MAX_STANZAS)
            identity = age.parse_identity(text.decode("ascii").splitlines()[-1])
        except (AuthError, ConfigError, UnicodeDecodeError, IndexError):
            raise IntegrityError(f"{name} was not made for this archive, or was altered") from None
        if text != self._era_file(name, identity):  # Ed25519 signatures are deterministic (RFC 8032 section 5.1.6)
            raise IntegrityError(f"{name} does not carry this archive's signature")
        return identity


@dataclass(frozen=True)
class Machine:
    """A writer: what one archiving machine must know. Without `keyring` it writes and cannot read.

    archive: 32 hex digits · writer: 16 hex digits · root: the archive's root key, for `verify_writers` ·
    recipients: by era, the age recipient its packs are sealed to.
    """

    archive: str
    writer: str
    root: Ed25519PublicKey
    recipients: dict[str, str] = field(repr=False)
    keyring: KeyRing | None = field(repr=False)
    leaf_salt_key: bytes = field(repr=False)
    _secret: bytes = field(repr=False)
    _segment_keys: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def signing_key(self) -> Ed25519PrivateKey:
        """Signs this writer's manifests; its public half is the object `keys/writers/<writer>.pub`."""
        return Ed25519PrivateKey.from_private_bytes(self._derive("manifest signing key"))

    @cached_property
    def database_key(self) -> bytes:
        """32 bytes: the key of the machine's local databases."""
        return self._derive("local databases")

    def segment_key(self, era: str) -> bytes:
        """32 bytes that name segments of this writer in `era`; nobody else can tell a segment by its name."""
        if era not in self._segment_keys:  # asked for with every message
            self._segment_keys[era] = self._derive("segment names", era)
        return self._segment_keys[era]

    def recipient(self, era: str) -> Recipient:
        """Whom packs of `era` are sealed to; ConfigError when no key of `era` has been made."""
        if era not in self.recipients:
            first, last = min(self.recipients, default="none"), max(self.recipients, default="none")
            if era < first:
                raise ConfigError(f"there is no key for {era}; the first is {first}", "Is this machine's clock right?")
            hint = "have keys made for more years, and enrol this machine again"
            raise ConfigError(f"there is no key for {era}; the last is {last}", hint)
        return age.parse_recipient(self.recipients[era])

    def save(self, path: Path, passphrase: str, *, log_n: int | None = None) -> None:
        """Writes the machine's file, sealed by the passphrase, readable by its owner only; it is whole or not there.

        `log_n` overrides the stretching. A write-only machine gets a passphrase other than the archive's.
        """
        value = {
            "version": 1,
            "archive": self.archive,
            "writer": self.writer,
            "root": signing.write_pem(self.root).decode("ascii"),
            "recipients": self.recipients,
            "keyring": self.keyring and self.keyring.to_json(),
            "salt": self.leaf_salt_key.hex(),
            "secret": self._secret.hex(),
        }
        key = normalise(passphrase)
        if log_n is None:
            log_n = GENERATED_LOG_N if is_generated(key) else CHOSEN_LOG_N
        write_private(path, age.encrypt(json.dumps(value).encode("ascii"), [age.ScryptRecipient(key, log_n)]))

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Machine:
        """The machine in a file of `save`. ConfigError: no such file; AuthError: another passphrase; IntegrityError."""
        try:
            value = json.loads(_open_sealed(read_private(path), passphrase))
            return cls(
                archive=str(value["archive"]),
                writer=str(value["writer"]),
                root=signing.read_pem(value["root"].encode("ascii")),
                recipients={str(era): str(text) for era, text in value["recipients"].items()},
                keyring=value["keyring"] and KeyRing.from_json(value["keyring"]),
                leaf_salt_key=bytes.fromhex(value["salt"]),
                _secret=bytes.fromhex(value["secret"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise IntegrityError("the machine's key file is of a form this version does not know") from None

    def _derive(self, *labels: str) -> bytes:
        return signing.derive(self._secret, self.archive, self.writer, *labels)


@dataclass(frozen=True)
class NewArchive:
    """What `create` made: the objects every store must get first, and the first writer."""

    objects: dict[str, bytes]
    machine: Machine

    @property
    def archive(self) -> str:
        return self.machine.archive

    @property
    def fingerprint(self) -> str:
        """Of the root key, 64 hex digits: belongs on the recovery sheet."""
        return signing.fingerprint(self.machine.root)


def create(
    passphrase: str, *, classic: bool, generated: bool, first_year: int, years: int = 10, log_n: int = CHOSEN_LOG_N
) -> NewArchive:
    """The keys of a new archive, eras `first_year` and following made ahead; X25519 with `classic`, else post-quantum.

    `generated` states that `new_passphrase` made the passphrase; ConfigError when its check symbols disagree, or when
    a chosen one is too weak. `log_n` is the stretching of the recovery file; anything below the default is for tests.
    """
    if generated and not is_generated(passphrase):
        raise ConfigError("the passphrase is not one that mailark made, or was mistyped")
    check_strength(passphrase)
    recovery = X25519Identity.generate() if classic else HybridIdentity.generate()
    draft = KeyRing(recovery, _lookup({}), ())
    eras = draft.era_objects(first_year, years)
    ring = KeyRing(recovery, _lookup(eras), eras)
    name, enrolment, machine = ring.enrol(year=first_year)
    text = f"# mailark recovery key 1\n# archive {ring.archive}\n{recovery}\n".encode("ascii")
    recovery_file = age.encrypt(text, [age.ScryptRecipient(normalise(passphrase), log_n)])
    root = signing.write_pem(ring.root.public_key())
    return NewArchive({RECOVERY: recovery_file, signing.ROOT: root, **eras, name: enrolment}, machine)


def unlock(get: Callable[[str], bytes], names: Iterable[str], passphrase: str) -> KeyRing:
    """The key ring of the archive in a store (see KeyRing for `get`, `names`). AuthError: not its passphrase."""
    text = _open_sealed(get(RECOVERY), passphrase)
    try:
        recovery = age.parse_identity(text.decode("ascii").splitlines()[-1])
    except (ConfigError, UnicodeDecodeError, IndexError):
        raise IntegrityError(f"{RECOVERY} does not hold a recovery identity") from None
    return KeyRing(recovery, get, names)


def _open_sealed(data: bytes, passphrase: str) -> bytes:
    try:
        return age.decrypt(data, [age.ScryptIdentity(normalise(passphrase))])
    except AuthError:
        hint = "it has a typing error" if looks_mistyped(passphrase) else "compare it with the recovery sheet"
        raise AuthError("the passphrase is wrong", hint) from None


def _era_and_generation(name: str) -> tuple[str, int]:
    found = _ERA_NAME.fullmatch(name)
    if found is None:
        raise IntegrityError(f"{name} is not the name of an era key")
    return found[1], int(found[2])


def _lookup(objects: dict[str, bytes]) -> Callable[[str], bytes]:
    def get(name: str) -> bytes:
        if name not in objects:
            raise ObjectMissingError(f"{name} is missing")
        return objects[name]

    return get
