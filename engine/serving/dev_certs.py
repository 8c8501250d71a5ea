"""Certificates to try encryption with: a private root, and what it signs for servers and clients.

WebXR and browsers want an encrypted page as soon as a server is not on the same machine. Knows
files and names; no server.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.errors import InputError

ROOT_DAYS = 3650
CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OURS = ("root", "server")


def write_dev_certs(
    folder: Path, names: Sequence[str], *, days: int, clients: Sequence[str] = ()
) -> list[str]:
    """Write root.pem, root.key, server.pem and server.key; a root that is there is kept.

    names    that the server is reached by, beside localhost and this machine's own
    clients  who get a certificate of their own to show, NAME.pem, and NAME.key
    Returns all names in the server's certificate. Raises OSError, and InputError for a root that is
    no good, or a client's name that is no name of a file, or one of those above.
    """
    for client in clients:
        if not CLIENT.fullmatch(client) or client in OURS:
            raise InputError.at(
                "--client",
                f"{client!r}; letters, digits, dots, _ and - make a name, but for "
                f"{' and '.join(OURS)}",
            )
    folder.mkdir(parents=True, exist_ok=True)
    root, root_key = _root(folder)
    every = list(dict.fromkeys([*names, *own_names()]))

    def write(file: str, name: str, usage: x509.ObjectIdentifier, known_as: list[str]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(name, key.public_key(), days)
            .issuer_name(root.subject)
            .add_extension(x509.SubjectAlternativeName([_general(n) for n in known_as]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([usage]), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
            )
            .sign(root_key, hashes.SHA256())
        )
        _write_key(folder / f"{file}.key", key)
        chain = [certificate, root]
        (folder / f"{file}.pem").write_bytes(
            b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        )

    write("server", "Contrapose server", ExtendedKeyUsageOID.SERVER_AUTH, every)
    for client in clients:
        write(client, client, ExtendedKeyUsageOID.CLIENT_AUTH, [client])
    return every


def own_names() -> list[str]:
    """Names and addresses that this machine is reached by."""
    name = socket.gethostname().lower()
    found = ["localhost", "127.0.0.1", "::1", name, f"{name}.local"]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks which of our addresses would be used
        found.append(probe.getsockname()[0])
    return found


def _root(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert_path, key_path = folder / "root.pem", folder / "root.key"
    if cert_path.exists() and key_path.exists():
        try:
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
            root = x509.load_pem_x509_certificate(cert_path.read_bytes())
        except ValueError as exc:
            raise InputError(
                f"{folder}: root.pem and root.key are no root of ours: {exc}; remove them"
            ) from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InputError(f"{key_path}: is no key of ours; remove it and root.pem")
        return root, key
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("Contrapose development root", key.public_key(), ROOT_DAYS)
    root = (
        builder.issuer_name(_name("Contrapose development root"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_usage_of_a_root(), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    cert_path.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    return root, key


def _builder(name: str, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage_of_a_root() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """For nobody else's eyes."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
