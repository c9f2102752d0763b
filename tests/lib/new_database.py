#!/usr/bin/env python3
"""Creates a database on the server of $TENANTRY_TEST_POSTGRES, with its tables distributed when $TENANTRY_TEST_CITUS asks
for it, and prints its URL. The suites that are not written in Python use this. The server is temporary, so the database
is not dropped.
"""
from harness import CommandLine, Database

database = Database(None)
if database.is_distributed:
    CommandLine(database.url).run("migrate", "--distribute")
print(database.url)
