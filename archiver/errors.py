"""The errors a run can end with; each carries its exit code and one line that says what to do.

Vendor exceptions are translated into these at the edge where the library is called.
No message content, password or key may enter an error text.
"""


class MailarkError(Exception):
    """An unexpected failure. `hint` is the one line that says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(MailarkError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


class AuthError(MailarkError):
    """A server refused the login, or the passphrase does not open the archive."""

    exit_code = 4


class ConnectError(MailarkError):
    """A server could not be reached, or the connection or its TLS failed."""

    exit_code = 5


class QuotaError(MailarkError):
    """A limit was hit (throttling, a full disk, a full quota); a later run resumes."""

    exit_code = 6


class IntegrityError(MailarkError):
    """Bytes are not what they must be: a hash, a signature, a chain or an authentication tag differs."""

    exit_code = 7


class StoreError(MailarkError):
    """A store failed, or fewer stores than `copies` confirmed a commit."""

    exit_code = 8


class ObjectMissingError(StoreError):
    """The store answered, and does not hold the object."""


class LockedError(MailarkError):
    """Another run holds the work folder."""

    exit_code = 9


class ProtocolError(MailarkError):
    """A server answered something that cannot be used for this folder or message (not for the whole account)."""

    exit_code = 3
