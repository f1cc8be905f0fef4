"""Whether a server's certificate leads to an authority that is trusted, through the chain that it sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL, crypto

from postroad.net.tls.errors import TlsError, reason_of

# X509_V_ERR_*
_NO_ISSUER = frozenset({2, 20, 21})
_SELF_SIGNED = frozenset({18, 19})
_NOT_YET = frozenset({9, 13})
_EXPIRED = frozenset({10, 14})


class Authorities:
    """What is trusted to vouch for servers.  Made once, asked often.

    ``certificates`` in DER are authorities; with ``anchors`` they may be anywhere in a chain, and need
    not be self-signed.  ``directory`` is one of smtp_tls_CApath's sort, ``system`` adds the
    authorities of the operating system.  TlsError when something cannot be read.
    """

    def __init__(self, certificates: Iterable[bytes] = (), *, directory: str = "", system: bool = False, anchors: bool = False, keys: Sequence[PublicKeyTypes] = ()) -> None:  # fmt: skip  # noqa: E501
        self._keys = tuple(keys)
        self._partial = anchors
        self._own: tuple[bytes, ...] = tuple(certificates)
        self._store = _store(self._own, partial=anchors)
        try:
            if directory:
                self._store.load_locations(None, directory)
            if system:
                self._add_system()
        except (crypto.Error, OSError) as error:
            raise TlsError(f"{directory}: {reason_of(error)}") from None

    def _add_system(self) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_default_verify_paths()
        found = context.get_cert_store()
        self._context = context  # the store is its own, and goes with it
        if found is not None:
            for each in self._own:
                found.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, each))
            self._store = found

    def fault(self, sent: Sequence[bytes], depth: int) -> str:
        """Return what is wrong with a chain, the server's own certificate first; "" if it is trusted.

        It is Postfix's line with ``{}`` where the server's name and address belong.  ``depth`` is the
        most certificates above the server's.
        """
        try:
            chain = [crypto.load_certificate(crypto.FILETYPE_ASN1, each) for each in sent]
        except crypto.Error as error:
            return f"server certificate verification failed for {{}}: {_sound(reason_of(error))}"
        store = self._with_keys(chain) if self._keys else self._store
        try:
            verified = crypto.X509StoreContext(store, chain[0], chain[1:]).get_verified_chain()
        except crypto.X509StoreContextError as error:
            return _told(error)
        except crypto.Error as error:
            return f"server certificate verification failed for {{}}: {_sound(reason_of(error))}"
        if len(verified) - 1 > depth:
            return f"certificate verification failed for {{}}: certificate chain longer than limit({depth})"
        if not all(_for_servers(each) for each in verified):
            return "certificate verification failed for {}: not designated for use as a server certificate"
        return ""

    def _with_keys(self, chain: Sequence[crypto.X509]) -> crypto.X509Store:
        """Return a store that also trusts what a bare key has signed: the key stands for an authority."""
        signed = [each for each in chain if any(_has_signed(key, each) for key in self._keys)]
        return _store(
            (*self._own, *(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in signed)),
            partial=True,
        )


def _store(certificates: Iterable[bytes], *, partial: bool) -> crypto.X509Store:
    store = crypto.X509Store()
    try:
        for each in certificates:
            store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, each))
    except crypto.Error as error:
        raise TlsError(reason_of(error)) from None
    if partial:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    return store


def _told(error: crypto.X509StoreContextError) -> str:
    """Return Postfix's line for what OpenSSL says."""
    code, _, words = error.errors
    if code in _SELF_SIGNED:
        return "certificate verification failed for {}: self-signed certificate"
    if code in _NO_ISSUER:
        issuer = issuer_of(error.certificate)
        return f"certificate verification failed for {{}}: untrusted issuer {issuer}"
    if code in _NOT_YET:
        return "server certificate verification failed for {}: certificate not yet valid"
    if code in _EXPIRED:
        return "server certificate verification failed for {}: certificate has expired"
    return f"server certificate verification failed for {{}}: num={code}:{_sound(words)}"


def issuer_of(certificate: crypto.X509) -> str:
    """Return who signed it as OpenSSL writes names on one line, ``/C=SE/CN=Name``, without braces."""
    try:
        issuer = certificate.to_cryptography().issuer
        parts = [f"/{each.rfc4514_attribute_name}={each.value!s}" for each in issuer]
    except Exception:  # noqa: BLE001 - the codec's own classes: it only informs
        return "unknown"
    return _sound("".join(parts)[:256])


def _sound(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _for_servers(certificate: crypto.X509) -> bool:
    """Whether its extended key usage, if it has one, names servers (RFC 5280 4.2.1.12)."""
    try:
        usages = certificate.to_cryptography().extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except Exception:  # noqa: BLE001 - the codec's own classes: what cannot be read proves nothing
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usages


def _has_signed(key: PublicKeyTypes, certificate: crypto.X509) -> bool:
    try:
        made = certificate.to_cryptography()
        signature, signed, digest = made.signature, made.tbs_certificate_bytes, made.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            used = made.signature_algorithm_parameters
            pad = used if isinstance(used, padding.PSS) else padding.PKCS1v15()
            key.verify(signature, signed, pad, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, signed, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            return False
    except Exception:  # noqa: BLE001 - whatever it is, the key has not signed this
        return False
    return True
