#!/usr/bin/env python3
"""Connects nodes to a PostgreSQL that accepts encrypted connections only, with each `sslmode`, and to one in LATIN1."""
import os
import shutil
import subprocess
import sys

from cluster import Cluster, answers, report
from certificates import authority, certify
from harness import binary
from postgres import give_to_postgres

OTHER_HOST = "db.example.com"


def hand_over(source, target):
    """Copies a file so that only the database's user can read it, as PostgreSQL requires of its key."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o600)
    give_to_postgres(target)


def enable_tls(server, certificate, key):
    """Makes a server that is not started yet accept encrypted connections, beside plain ones."""
    hand_over(certificate, server.data / "server.crt")
    hand_over(key, server.data / "server.key")
    server.settings["ssl"] = "on"


def require_tls(server):
    """Makes a running server refuse plain connections."""
    (server.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    server.sql("SELECT pg_reload_conf()")


def serves(cluster, name, url):
    """Starts a node on this database and returns a fault unless it becomes ready."""
    node = cluster.node(name, url)
    try:
        node.start()
    except (RuntimeError, TimeoutError) as error:
        return [str(error)[-400:]]
    faults = [] if answers(node.base, "/readyz") else ["the node is not ready"]
    node.stop()
    return faults


def fails(cluster, url, *reasons):
    """Starts a node on this database; it must exit with an error that has one of these texts."""
    result = subprocess.run([binary(), "serve", "--listen", "127.0.0.1:0", "--database", url, "--secret-key-file",
                           str(cluster.key)], capture_output=True, text=True, timeout=60, check=False)
    print(f"  {url.partition('?')[2] or 'no parameters'}: {result.stderr.strip()[-240:]}")
    if result.returncode == 0 or not any(reason in result.stderr for reason in reasons):
        return [f"exit status {result.returncode}: {result.stderr[-400:]}"]
    return []


def main():
    with Cluster() as cluster:
        files = cluster.folder("certificates")
        root, other_root = authority(files, "root"), authority(files, "other-root")
        hosts, checks = "DNS:localhost,IP:127.0.0.1", []
        servers = []
        for name, certified in (("matching", hosts), ("other", f"DNS:{OTHER_HOST}")):
            server = cluster.postgres(name).create()
            enable_tls(server, *certify(files, root, f"{name}.server", certified))
            url = server.start().create_database("tenantry")
            require_tls(server)
            servers.append(url)
        matching, other = servers
        full = f"sslmode=verify-full&sslrootcert={root}"
        checks.append(("verify-full with the root of the certificate", serves(cluster, "full", f"{matching}?{full}")))
        by_name = matching.replace("127.0.0.1", "localhost")
        checks.append(("verify-full with a host name", serves(cluster, "name", f"{by_name}?{full}")))
        checks.append(("require", serves(cluster, "require", f"{matching}?sslmode=require")))
        checks.append(("no sslmode, which means prefer", serves(cluster, "prefer", matching)))
        checks.append(("disable is refused", fails(cluster, f"{matching}?sslmode=disable", "no encryption")))
        checks.append(("another root is refused", fails(
            cluster, f"{matching}?sslmode=verify-full&sslrootcert={other_root}", "UnknownIssuer", "BadSignature")))
        checks.append(("the system's roots are not enough", fails(cluster, f"{matching}?sslmode=verify-full", "UnknownIssuer")))
        checks.append(("another host's certificate is refused", fails(
            cluster, f"{other}?{full}", "not valid for name")))
        checks.append(("require accepts another host's certificate", serves(cluster, "any", f"{other}?sslmode=require")))
        authority_only = f"sslmode=verify-ca&sslrootcert={root}"
        checks.append(("verify-ca accepts another host's certificate", serves(cluster, "ca", f"{other}?{authority_only}")))
        checks.append(("verify-ca refuses another root", fails(
            cluster, f"{matching}?sslmode=verify-ca&sslrootcert={other_root}", "UnknownIssuer", "BadSignature")))
        latin = cluster.postgres("latin").create().start()
        latin.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        checks.append(("a database in another encoding is refused in words", fails(
            cluster, latin.url("latin"), "the database is encoded as LATIN1")))
        return report("tls", checks, {"servers": len(servers)})


if __name__ == "__main__":
    sys.exit(main())
