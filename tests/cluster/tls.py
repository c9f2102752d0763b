#!/usr/bin/env python3
"""A database that takes encrypted connections alone, and what `sslmode` makes of it."""
import os
import pwd
import shutil
import subprocess
import sys

from cluster import Cluster, answers, report
from harness import binary

OTHER_HOST = "db.example.com"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def authority(directory, name):
    """A certificate authority; its certificate's path."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    return certificate


def certify(directory, root, name, hosts):
    """A server's certificate for these hosts, and its key; their paths."""
    key, request, certificate = (directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
    extensions = directory / f"{name}.ext"
    extensions.write_text(f"subjectAltName={hosts}\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", root.with_suffix(".key"), "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", certificate)
    return certificate, key


def hand_over(source, target):
    """Copies a file for the database's user alone, as the database demands of its key."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o600)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(target, user.pw_uid, user.pw_gid)


def encrypted(server, certificate, key):
    """The server takes encrypted connections too."""
    hand_over(certificate, server.data / "server.crt")
    hand_over(key, server.data / "server.key")
    server.settings["ssl"] = "on"


def only_encrypted(server):
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    server.sql("SELECT pg_reload_conf()")


def serves(cluster, name, url):
    """What is wrong with a node on this database."""
    node = cluster.node(name, url)
    try:
        node.start()
    except (RuntimeError, TimeoutError) as error:
        return [str(error)[-400:]]
    found = [] if answers(node.base, "/readyz") else ["the node is not ready"]
    node.stop()
    return found


def is_refused(cluster, url, *why):
    """What is wrong with how a node refuses this database: it must say one of these things."""
    done = subprocess.run([binary(), "serve", "--listen", "127.0.0.1:0", "--database", url, "--secret-key-file",
                           str(cluster.key)], capture_output=True, text=True, timeout=60, check=False)
    print(f"  {url.partition('?')[2] or 'no parameters'}: {done.stderr.strip()[-240:]}")
    if done.returncode == 0 or not any(word in done.stderr for word in why):
        return [f"exit {done.returncode}: {done.stderr[-400:]}"]
    return []


def main():
    with Cluster() as cluster:
        files = cluster.folder("certificates")
        root, stranger = authority(files, "root"), authority(files, "stranger")
        hosts, checks = "DNS:localhost,IP:127.0.0.1", []
        servers = []
        for name, certified in (("right", hosts), ("wrong", f"DNS:{OTHER_HOST}")):
            server = cluster.postgres(name).create()
            encrypted(server, *certify(files, root, f"{name}.server", certified))
            url = server.start().create_database("tenantry")
            only_encrypted(server)
            servers.append(url)
        right, wrong = servers
        full = f"sslmode=verify-full&sslrootcert={root}"
        checks.append(("verify-full with the right root", serves(cluster, "full", f"{right}?{full}")))
        by_name = right.replace("127.0.0.1", "localhost")
        checks.append(("verify-full by the host's name", serves(cluster, "name", f"{by_name}?{full}")))
        checks.append(("require", serves(cluster, "require", f"{right}?sslmode=require")))
        checks.append(("prefer, as without sslmode", serves(cluster, "prefer", right)))
        checks.append(("disable is refused", is_refused(cluster, f"{right}?sslmode=disable", "no encryption")))
        checks.append(("another root is refused", is_refused(
            cluster, f"{right}?sslmode=verify-full&sslrootcert={stranger}", "UnknownIssuer", "BadSignature")))
        checks.append(("the web's roots do not do", is_refused(cluster, f"{right}?sslmode=verify-full", "UnknownIssuer")))
        checks.append(("another host's certificate is refused", is_refused(
            cluster, f"{wrong}?{full}", "not valid for name")))
        checks.append(("require takes another host's", serves(cluster, "any", f"{wrong}?sslmode=require")))
        return report("tls", checks, {"servers": len(servers)})


if __name__ == "__main__":
    sys.exit(main())
