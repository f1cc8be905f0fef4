"""``smtpd_sasl_path = pam:SERVICE``: PAM says whether a password is right.

Workers are not root: of the usual modules pam_unix can then only check the worker's own user.  Modules that
ask somebody else (pam_sss, pam_ldap, pam_winbind, pam_mysql) work.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Final, NoReturn

from postroad.auth.accounts import AuthUnavailable
from postroad.auth.verifier import Workshop

#: What PAM says of a user or a password that is wrong; anything else is "could not look".
_WRONG: Final = frozenset(
    {
        6,  # PAM_PERM_DENIED
        7,  # PAM_AUTH_ERR
        8,  # PAM_CRED_INSUFFICIENT
        10,  # PAM_USER_UNKNOWN
        11,  # PAM_MAXTRIES
        12,  # PAM_NEW_AUTHTOK_REQD
        13,  # PAM_ACCT_EXPIRED
        27,  # PAM_AUTHTOK_EXPIRED
    }
)


def ask(service: str, username: str, password: str) -> tuple[bool, int, str]:
    """Ask PAM; takes as long as it likes.  Returns whether the password is right, PAM's code, its words."""
    pam = import_module("pam").PamAuthenticator()  # loads libpam, which not every system has
    right = pam.authenticate(username, password, service=service, resetcreds=False)
    return right and pam.code == 0, int(pam.code or 0), str(pam.reason)


class PamPasswords:
    """Passwords that PAM knows."""

    secrets = False

    def __init__(self, service: str, workshop: Workshop) -> None:
        if not service or "/" in service:
            raise ValueError(f"smtpd_sasl_path = pam:{service}: expected the name of a PAM service")
        self._service = service
        self._workshop = workshop

    async def check(self, username: str, password: str, address: str) -> bool:  # noqa: ARG002
        """Return whether the password is the user's.  AuthUnavailable when PAM could not say."""
        try:
            right, code, words = await self._workshop.run(partial(ask, self._service, username, password))
        except (ImportError, OSError, AttributeError, ValueError) as error:
            raise AuthUnavailable(f"PAM cannot be used: {error}") from None
        if not right and code not in _WRONG:
            raise AuthUnavailable(f"PAM service {self._service}: {words}")
        return right

    async def scram(self, username: str, scheme: str, address: str) -> NoReturn:  # noqa: ARG002
        """Fail: PAM tells no secrets."""
        raise AuthUnavailable("PAM tells no secrets")

    async def cram(self, username: str, address: str) -> NoReturn:  # noqa: ARG002
        """Fail: PAM tells no secrets."""
        raise AuthUnavailable("PAM tells no secrets")
