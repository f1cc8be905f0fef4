"""crypt(3) of the system's libcrypt: every scheme that it knows, yescrypt and bcrypt included."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import cache

#: struct crypt_data is 32 KiB in libxcrypt, 260 bytes in musl and 131,232 bytes in glibc's old libcrypt.
_DATA_SIZE = 131_232
_NAMES = ("libcrypt.so.1", "libcrypt.so.2")


@cache
def _library() -> Callable[[bytes, bytes, object], bytes | None]:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libc.so")
    crypt_r = library.crypt_r
    crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    crypt_r.restype = ctypes.c_char_p
    return crypt_r


def crypt(password: bytes, setting: str) -> str:
    """Hash a password under a setting (``$6$salt``, or a whole hash).  Any thread may call it.

    ValueError for a setting that this system's libcrypt does not know, OSError where there is none.
    The password has no NUL in it.
    """
    try:
        crypt_r = _library()
    except AttributeError as error:  # a libc without crypt_r
        raise OSError(str(error)) from error
    data = ctypes.create_string_buffer(_DATA_SIZE)  # zeros; each call its own: crypt_r writes there only
    try:
        found = crypt_r(password, setting.encode("ascii"), data)
    except UnicodeEncodeError:
        found = None
    # libxcrypt answers a setting that it does not know with *0 or *1, which equals no hash.
    if found is None or found.startswith(b"*"):
        raise ValueError("a hash that this system's libcrypt does not know")
    return found.decode("ascii")
