"""VERIFY.txt: how a stranger checks a volume with tools that are not ours."""

from __future__ import annotations

from collections.abc import Sequence

from exporters.production.seal import SEAL_LIST, SIGNATURE, SIGNER_CA, TIMESTAMP, TSA_CA, Seal, told

CMS = (
    f"openssl cms -verify -binary -inform DER -in {SIGNATURE} -content tagmanifest-sha256.txt"
    f" -CAfile {SIGNER_CA} -purpose any -signer ../signer.pem -out {{null}}"
)
TSA = f"openssl ts -verify -data tagmanifest-sha256.txt -in {TIMESTAMP} -CAfile {{authority}}"

_POWERSHELL = """foreach ($list in 'tagmanifest-sha256.txt', 'manifest-sha256.txt') {
  Get-Content $list -Encoding UTF8 | ForEach-Object {
    $hash, $path = $_ -split '  ', 2
    if (-not (Test-Path -LiteralPath $path) -or
        (Get-FileHash -Algorithm SHA256 -LiteralPath $path).Hash -ne $hash) { "FAILED  $path" }
  }
}
"Done: every file that is not named above is whole." """

_FIELDS = """data/DATA holds the load files: .dat (Concordance: UTF-8 with BOM, CRLF, fields parted by U+0014
and enclosed in U+00FE, U+00AE for a line end inside a field), .opt (Opticon), .csv for spreadsheets, manifest.jsonl
with the exact values. Paths in them begin at the folder data. Bates numbers count pages; a document without pages
has one number."""


def verify_text(volume: str, seal: Seal | None, evidence: Sequence[str]) -> bytes:
    """VERIFY.txt of a volume, UTF-8 with LF. evidence: lines on how the proofs of the archive are checked."""
    signature, timestamp = told(seal)
    signature = signature.replace(" SHA-256 ", " SHA-256\n            ")
    parts = [
        f"How to check this volume, {volume}. Run everything in the folder this file lies in.",
        f"Signature:  {signature}\nTime-stamp: {timestamp}",
        _beside(seal),
        "1. Every file is as it was produced (Linux, macOS: use shasum -a 256 -c there; prints only what failed)\n\n"
        "sha256sum --strict --quiet -c tagmanifest-sha256.txt\nsha256sum --strict --quiet -c manifest-sha256.txt",
        "   The same on Windows, in PowerShell:\n\n" + _POWERSHELL.strip(),
        "2. Nothing was added below data either (needs Python 3.11 or newer: pip install bagit)\n\n"
        "python -P -m bagit --validate .\n\n"
        "   Without -P, Python would run a bagit.py that somebody put into this folder.",
        _signature(seal),
        _timestamp(seal),
        _evidence(evidence),
        _FIELDS,
    ]
    return ("\n\n".join(filter(None, parts)) + "\n").encode(errors="replace")


def _beside(seal: Seal | None) -> str:
    """No list names the lists and the seal themselves, so nothing below finds a file that was added beside them."""
    names = ["VERIFY.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"]
    if seal:
        names += [SIGNATURE, SEAL_LIST, SIGNER_CA]
        names += [TIMESTAMP] if seal.timestamp else []
        names += [TSA_CA] if seal.tsa_authority else []
    listed = "".join(f"\n     {name}" for name in sorted(names))
    return (
        f"0. Beside the folder data there are these files here and no others. Where there is another one,\n"
        f"   somebody added it: run nothing in this folder.\n{listed}"
    )


def _signature(seal: Seal | None) -> str:
    if seal is None:
        return "3. Who produced it: this volume is NOT SIGNED. Its hashes show accidents, not a change with new hashes."
    return (
        f"3. Who produced it (writes the signer's certificate to ../signer.pem)\n\n"
        f"sha256sum --strict --quiet -c {SEAL_LIST}\n{CMS.format(null='/dev/null')}\n"
        "openssl x509 -in ../signer.pem -noout -subject -fingerprint -sha256\n\n"
        f"   Compare the fingerprint with one that reached you another way (telephone, letter): {SIGNER_CA} alone\n"
        "   proves nothing, for it lies in the folder it vouches for.\n"
        "   On Windows write NUL for /dev/null. The report is signed as well; Adobe Reader shows it, and so does\n\n"
        "pdfsig data/REPORT/export-report.pdf"
    )


def _timestamp(seal: Seal | None) -> str:
    if seal is None or seal.timestamp is None:
        return (
            "4. Since when it exists: this volume is NOT TIMESTAMPED. Nothing but the word of its\n"
            "   producer tells when it was made."
        )
    authority = TSA_CA if seal.tsa_authority else "CERTIFICATES-OF-THE-AUTHORITY.pem"
    return f"4. Since when it exists at the latest\n\n{TSA.format(authority=authority)}"


def _evidence(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    warning = "   The program came with this volume: first see that steps 1 to 3 hold, the fingerprint included."
    return "\n".join(("5. That the archive held these messages", "", *lines, warning))
