"""Keys of an archive: made, opened, damaged, forged."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from archiver.errors import AuthError, ConfigError, IntegrityError, ObjectMissingError
from archiver.vault import age, keys, signing

CHOSEN = "correct horse battery"
LOG_N = 4


def make(classic: bool = False, years: int = 3) -> keys.NewArchive:
    return keys.create(CHOSEN, classic=classic, generated=False, first_year=2026, years=years, log_n=LOG_N)


@pytest.fixture(scope="module")
def archive() -> keys.NewArchive:
    return make()


def flips(data: bytes) -> list[bytes]:
    """`data` with one bit flipped, for every byte."""
    return [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]


def test_layout_of_a_new_archive(archive: keys.NewArchive) -> None:
    assert sorted(archive.objects) == sorted(
        [
            "keys/recovery.age",
            "keys/root.pem",
            *(f"keys/era/mail-{year}.1.age" for year in (2026, 2027, 2028)),
            f"keys/writers/{archive.machine.writer}.pub",
        ]
    )
    assert archive.fingerprint.startswith(archive.archive)
    assert re.fullmatch("[0-9a-f]{32}", archive.archive)


@pytest.mark.parametrize("classic", [False, True])
def test_what_a_machine_seals_the_passphrase_opens(classic: bool) -> None:
    new = make(classic)
    ring = keys.unlock(new.objects.__getitem__, new.objects, CHOSEN)
    assert ring.archive == new.archive
    assert ring.eras == ("mail-2026", "mail-2027", "mail-2028")
    for era in ring.eras:
        sealed = age.encrypt(b"mail", [new.machine.recipient(era)])
        assert age.decrypt(sealed, [ring.identity(era)]) == b"mail"
        assert (b"X25519" in sealed) == classic
    with pytest.raises(AuthError):
        age.decrypt(sealed, [ring.identity("mail-2026")])
    ring.check_root(new.objects["keys/root.pem"])


def test_ten_years_by_default() -> None:
    new = keys.create(CHOSEN, classic=True, generated=False, first_year=2026, log_n=LOG_N)
    assert max(new.machine.recipients) == "mail-2035"
    with pytest.raises(ConfigError, match="mail-2036"):
        new.machine.recipient("mail-2036")
    with pytest.raises(ConfigError, match="the first is mail-2026") as early:
        new.machine.recipient("mail-2025")
    assert "clock" in early.value.hint


def test_wrong_passphrase_is_an_auth_error(archive: keys.NewArchive) -> None:
    with pytest.raises(AuthError):
        keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN + "!")


def test_unknown_era_is_missing(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    with pytest.raises(ObjectMissingError):
        ring.identity("mail-1999")


def test_era_is_the_year_in_utc() -> None:
    assert keys.era_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == "mail-2026"
    assert keys.era_of(datetime(2027, 1, 1, 7, 59, tzinfo=timezone(timedelta(hours=8)))) == "mail-2026"


def test_a_newer_generation_is_used_and_the_older_still_opens(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    objects = {**archive.objects, **ring.era_objects(2026, 1, generation=2)}
    both = keys.unlock(objects.__getitem__, objects, CHOSEN)
    assert len(both.identities("mail-2026")) == 2
    assert str(both.identity("mail-2026")) != str(ring.identity("mail-2026"))
    assert str(both.identities("mail-2026")[1]) == str(ring.identity("mail-2026"))


def test_bit_flips_in_every_byte_of_the_recovery_file(archive: keys.NewArchive) -> None:
    damaged = flips(archive.objects["keys/recovery.age"])
    for data in damaged:
        with pytest.raises((AuthError, IntegrityError)):
            keys.unlock({"keys/recovery.age": data}.__getitem__, [], CHOSEN)
    print(f"recovery.age: {len(damaged)} bits flipped, 0 accepted")


@pytest.mark.parametrize("classic", [False, True])
def test_bit_flips_in_every_byte_of_an_era_file(classic: bool) -> None:
    new = make(classic, years=1)
    name = "keys/era/mail-2026.1.age"
    ring = keys.unlock(new.objects.__getitem__, [], CHOSEN)
    damaged = flips(new.objects[name])
    for data in damaged:
        with pytest.raises(IntegrityError):
            keys.KeyRing(ring.recovery, {name: data}.__getitem__, [name]).identity("mail-2026")
    print(f"era file: {len(damaged)} bits flipped, 0 accepted")


def test_era_files_cannot_be_swapped_or_slipped_in(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    swapped = {**archive.objects, "keys/era/mail-2026.1.age": archive.objects["keys/era/mail-2027.1.age"]}
    with pytest.raises(IntegrityError):
        keys.KeyRing(ring.recovery, swapped.__getitem__, swapped).identity("mail-2026")
    foreign = keys.KeyRing(age.HybridIdentity.generate(), {}.__getitem__, ())
    theirs = age.decrypt(
        foreign.era_objects(2026, 1)["keys/era/mail-2026.1.age"], [foreign.recovery]
    )  # what an attacker who knows the recovery recipient would seal to it
    slipped = {"keys/era/mail-2026.2.age": age.encrypt(theirs, [ring.recovery.recipient()]), **archive.objects}
    with pytest.raises(IntegrityError):
        keys.unlock(slipped.__getitem__, slipped, CHOSEN).recipient("mail-2026")


def test_bit_flips_in_every_byte_of_an_enrolment(archive: keys.NewArchive) -> None:
    name = f"keys/writers/{archive.machine.writer}.pub"
    found = signing.verify_writers(archive.objects.__getitem__, archive.objects, archive.machine.root)
    expected = archive.machine.signing_key.public_key().public_bytes_raw()
    assert {writer: key.public_bytes_raw() for writer, key in found.items()} == {archive.machine.writer: expected}
    damaged = flips(archive.objects[name])
    for data in damaged:
        with pytest.raises(IntegrityError):
            signing.verify_writers({name: data}.__getitem__, [name], archive.machine.root)
    print(f"enrolment: {len(damaged)} bits flipped, 0 accepted")


def test_truncated_and_lengthened_enrolments(archive: keys.NewArchive) -> None:
    name = f"keys/writers/{archive.machine.writer}.pub"
    whole = archive.objects[name]
    for data in [*(whole[:size] for size in range(len(whole))), whole + b"\n", whole + whole, b" " + whole]:
        with pytest.raises(IntegrityError):
            signing.verify_writers({name: data}.__getitem__, [name], archive.machine.root)


def test_another_spelling_of_the_same_enrolment_is_refused(archive: keys.NewArchive) -> None:
    """What decodes to the same key and signature, but is not what was written."""
    name = f"keys/writers/{archive.machine.writer}.pub"
    whole = archive.objects[name].decode()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = whole[-4]
    unused_bits = whole[:-4] + letters[letters.index(last) ^ 1] + whole[-3:]
    rewrapped = whole.replace("KEY-----\nMCow", "KEY-----\nMC\now")
    spaced = whole.replace("signature ", "signature  ")
    for other in (unused_bits, rewrapped, spaced, whole.replace("\n", "\r\n")):
        assert other != whole
        with pytest.raises(IntegrityError):
            keys.verify_writers({name: other.encode()}.__getitem__, [name], archive.machine.root)
    pem = archive.objects["keys/root.pem"]
    for altered in (pem.replace(b"MCow", b"MC\now"), b"text\n" + pem, pem.replace(b"\n", b"\r\n")):
        with pytest.raises(IntegrityError):
            signing.read_root(altered, archive.fingerprint)


def test_forged_writers_are_refused_or_told(archive: keys.NewArchive) -> None:
    stranger = make()
    theirs = f"keys/writers/{stranger.machine.writer}.pub"
    ours = f"keys/writers/{archive.machine.writer}.pub"
    renamed = "keys/writers/0123456789abcdef.pub"
    objects = {**archive.objects, theirs: stranger.objects[theirs], renamed: archive.objects[ours]}
    with pytest.raises(IntegrityError):
        keys.verify_writers(objects.__getitem__, objects, archive.machine.root)
    told: list[str] = []
    found = keys.verify_writers(objects.__getitem__, objects, archive.machine.root, lambda name, why: told.append(name))
    assert list(found) == [archive.machine.writer]
    assert sorted(told) == sorted([theirs, renamed])


def test_bit_flips_in_every_byte_of_the_root_key(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    data = archive.objects["keys/root.pem"]
    root = signing.read_root(data, archive.fingerprint.upper())
    assert root.public_bytes_raw() == archive.machine.root.public_bytes_raw()
    damaged = [*flips(data), *(data[:size] for size in range(len(data))), data + b"\n"]
    for other in damaged:
        with pytest.raises(IntegrityError):
            signing.read_root(other, archive.fingerprint)
        with pytest.raises(IntegrityError):
            ring.check_root(other)
    print(f"root.pem: {len(damaged)} changes, 0 accepted")


def test_openssl_verifies_an_enrolment(archive: keys.NewArchive, tmp_path: Path) -> None:
    """The commands in signing's docstring, as an auditor types them."""
    (tmp_path / "w.pub").write_bytes(archive.objects[f"keys/writers/{archive.machine.writer}.pub"])
    (tmp_path / "root.pem").write_bytes(archive.objects["keys/root.pem"])
    script = """
    set -e
    openssl pkey -pubin -in root.pem -outform DER | sha256sum
    sed '/^signature/,$d' w.pub >note; sed -n 's/^signature //p' w.pub | base64 -d >sig
    openssl pkeyutl -verify -pubin -inkey root.pem -rawin -in note -sigfile sig
    openssl pkey -pubin -in w.pub -outform DER | tail -c 32 | xxd -p -c 64
    """
    out = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert archive.fingerprint in out.stdout
    assert "Signature Verified Successfully" in out.stdout
    assert archive.machine.signing_key.public_key().public_bytes_raw().hex() in out.stdout


def test_the_age_command_opens_recovery_and_era_files(tmp_path: Path) -> None:
    """Only recovery.age needs a terminal; its identity is taken here, the era file is opened by `age -d -i`."""
    new = make(classic=True, years=1)
    ring = keys.unlock(new.objects.__getitem__, new.objects, CHOSEN)
    text = age.decrypt(new.objects["keys/recovery.age"], [age.ScryptIdentity(CHOSEN)])
    (tmp_path / "recovery.key").write_bytes(text)
    (tmp_path / "era.age").write_bytes(new.objects["keys/era/mail-2026.1.age"])
    (tmp_path / "pack.age").write_bytes(age.encrypt(b"a pack", [new.machine.recipient("mail-2026")]))
    script = "age -d -i recovery.key era.age >era.key && age -d -i era.key pack.age"
    out = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, timeout=30, check=True)
    assert out.stdout == b"a pack"
    assert str(ring.identity("mail-2026")) in (tmp_path / "era.key").read_text()


@pytest.mark.parametrize("write_only", [False, True])
def test_a_machine_is_saved_and_loaded(archive: keys.NewArchive, tmp_path: Path, write_only: bool) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    name, enrolment, machine = ring.enrol(year=2027, write_only=write_only)
    assert list(machine.recipients) == ["mail-2027", "mail-2028"]
    path = tmp_path / "machine.age"
    machine.save(path, "a passphrase of its own", log_n=LOG_N)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    loaded = keys.Machine.load(path, " a passphrase of its own\n")
    for attribute in ("archive", "writer", "recipients", "database_key", "leaf_salt_key"):
        assert getattr(loaded, attribute) == getattr(machine, attribute)
    assert loaded.signing_key.private_bytes_raw() == machine.signing_key.private_bytes_raw()
    assert (loaded.keyring is None) == write_only
    if loaded.keyring is not None:
        assert str(loaded.keyring.identity("mail-2026")) == str(ring.identity("mail-2026"))
    found = keys.verify_writers({name: enrolment}.__getitem__, [name], loaded.root)
    assert found[loaded.writer].public_bytes_raw() == loaded.signing_key.public_key().public_bytes_raw()


def test_a_write_only_machine_holds_no_secret_of_the_archive(archive: keys.NewArchive, tmp_path: Path) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    machine = ring.enrol(year=2026, write_only=True)[2]
    machine.save(tmp_path / "m", "a passphrase of its own", log_n=LOG_N)
    text = age.decrypt((tmp_path / "m").read_bytes(), [age.ScryptIdentity("a passphrase of its own")])
    assert b"AGE-SECRET-KEY" not in text
    assert ring.root.private_bytes_raw().hex().encode() not in text


def test_damage_to_a_machine_file(archive: keys.NewArchive, tmp_path: Path) -> None:
    machine = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN).enrol(year=2028, write_only=True)[2]
    path = tmp_path / "machine.age"
    machine.save(path, CHOSEN, log_n=LOG_N)
    whole = path.read_bytes()
    with pytest.raises(AuthError):
        keys.Machine.load(path, "another passphrase")
    for data in [*flips(whole)[:: max(1, len(whole) // 500)], whole[:-1], whole[:100], b"", whole + b"x"]:
        path.write_bytes(data)
        with pytest.raises((AuthError, IntegrityError)):
            keys.Machine.load(path, CHOSEN)
    for value in (b"[]", b"{}", b"\xff", b'{"archive": 1, "writer": 2, "root": 3}'):
        path.write_bytes(age.encrypt(value, [age.ScryptRecipient(CHOSEN, LOG_N)]))
        with pytest.raises(IntegrityError):
            keys.Machine.load(path, CHOSEN)
    path.unlink()
    with pytest.raises(ConfigError):
        keys.Machine.load(path, CHOSEN)


def test_saving_needs_a_usable_folder(archive: keys.NewArchive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        archive.machine.save(tmp_path / "missing" / "machine.age", CHOSEN, log_n=LOG_N)


def test_derived_keys_differ_by_purpose_era_and_writer(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    machines = [archive.machine, ring.enrol(year=2026)[2]]
    made = [
        key
        for machine in machines
        for key in (
            machine.database_key,
            machine.leaf_salt_key,
            machine.segment_key("mail-2026"),
            machine.segment_key("mail-2027"),
            machine.signing_key.private_bytes_raw(),
        )
    ]
    assert all(len(key) == 32 for key in made)
    assert len(set(made)) == len(made)


def test_no_secret_in_a_repr(archive: keys.NewArchive) -> None:
    shown = repr(archive.machine) + repr(archive.machine.keyring)
    assert "AGE-SECRET" not in shown
    assert repr(archive.machine._secret) not in shown


def test_an_old_damaged_era_does_not_stop_an_enrolment_but_a_new_one_does(archive: keys.NewArchive) -> None:
    objects = {**archive.objects, "keys/era/mail-2026.1.age": b"damaged"}
    ring = keys.unlock(objects.__getitem__, objects, CHOSEN)
    assert "mail-2027" in ring.enrol(year=2027)[2].recipients
    with pytest.raises(IntegrityError):
        ring.enrol(year=2026)


def test_generated_passphrases_are_stretched_little_and_chosen_ones_much(
    archive: keys.NewArchive, tmp_path: Path
) -> None:
    archive.machine.save(tmp_path / "generated", keys.new_passphrase())
    archive.machine.save(tmp_path / "chosen", CHOSEN)
    assert (tmp_path / "generated").read_bytes().split(b"\n")[1].endswith(b" 12")
    assert (tmp_path / "chosen").read_bytes().split(b"\n")[1].endswith(b" 18")


def test_the_salts_of_a_lost_writer_come_back_from_the_passphrase(archive: keys.NewArchive) -> None:
    ring = keys.unlock(archive.objects.__getitem__, archive.objects, CHOSEN)
    assert ring.leaf_salt_key(archive.machine.writer) == archive.machine.leaf_salt_key
    other = ring.enrol(year=2026)[2]
    assert other.leaf_salt_key != archive.machine.leaf_salt_key
