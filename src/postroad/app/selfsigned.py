"""A certificate of our own making, for a server that offers TLS and names none.

The key is in the data directory, which belongs to mail_owner, and the supervisor, who reads it, is root:
so nothing is followed there that mail_owner could have put in its place.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_YEARS = 10
_MOST = 65536
_LONGEST_NAME = 64  # X.520: ub-common-name
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def ensure(path: str, hostname: str, now: float) -> bool:
    """Make the certificate ``path`` unless it is there; whether it was made.  OSError if it cannot be."""
    if read(path):
        return False
    target = Path(path)
    fd = _open_folder(target.parent, make=True)
    try:
        temporary = f".{target.name}.{os.getpid()}"
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=fd)
        try:
            with os.fdopen(file, "wb") as writer:
                writer.write(make(hostname, now))
                writer.flush()
                os.fsync(writer.fileno())
            os.rename(temporary, target.name, src_dir_fd=fd, dst_dir_fd=fd)
        except OSError:
            os.unlink(temporary, dir_fd=fd)
            raise
    finally:
        os.close(fd)
    return True


def read(path: str) -> bytes:
    """Return the certificate, b"" while there is none that is ours."""
    target = Path(path)
    try:
        fd = _open_folder(target.parent, make=False)
    except OSError:
        return b""
    try:
        file = os.open(target.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return b""
    finally:
        os.close(fd)
    with os.fdopen(file, "rb") as reader:
        return reader.read(_MOST)


def _open_folder(path: Path, *, make: bool) -> int:
    """Return a descriptor of the directory; OSError if it is not ours alone."""
    above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path.name, 0o700, dir_fd=above)
        fd = os.open(path.name, _DIRECTORY, dir_fd=above)
    finally:
        os.close(above)
    if os.fstat(fd).st_uid != os.geteuid():
        os.close(fd)
        raise PermissionError(f"{path}: belongs to another user")
    return fd


def make(hostname: str, now: float) -> bytes:
    """Return a new key (ECDSA, P-256) and its certificate for ten years from ``now``, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:_LONGEST_NAME])])
    start = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=365 * _YEARS + 3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_ascii(hostname))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _ascii(hostname: str) -> str:
    try:
        return hostname.encode("ascii").decode()
    except UnicodeEncodeError:
        return hostname.encode("idna").decode()
