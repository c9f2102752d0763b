"""Reads a backup file and checks that it shows the database at one moment."""
import json
from collections import defaultdict


def tables(path):
    """Returns the tables of a backup file as {name: rows}, each row as {column: value}."""
    found, columns, rows = {}, [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            value = json.loads(line)
            if isinstance(value, list):
                rows.append(dict(zip(columns, value)))
            elif "table" in value:
                columns, rows = [name for name, _ in value["columns"]], []
            elif "end" in value:
                found[value["end"]] = rows
    return found


def moment_faults(path, members_before, all_members):
    """Returns every way in which a backup mixes several moments or lacks rows.

    `members_before` were created before the backup began, `all_members` includes those created during it.
    """
    faults, found = [], tables(path)
    members = {row["id"]: row for row in found["members"] if row["deleted_at"] is None}
    missing = sorted(members_before.keys() - members.keys())
    faults += [f"{members_before[member]} was created before the backup and is not in it" for member in missing[:3]]
    counters = defaultdict(int)
    for row in found["row_counters"]:
        counters[row["counter"], row["subject_id"]] += row["row_count"]
    for customer in found["customers"]:
        count = sum(row["customer_id"] == customer["id"] for row in members.values())
        counted = counters["customer_members", customer["id"]]
        if counted != count:
            faults.append(f"a customer has {count} members, its counter says {counted}")
    counted = sum(row["row_count"] for row in found["row_counters"] if row["counter"] == "members")
    if counted != len(members):
        faults.append(f"there are {len(members)} members, the counters say {counted}")
    audited = {row["subject_id"] for row in found["audit_entries"] if row["action"] == "member.created"}
    if audited != {row["id"] for row in found["members"]}:
        faults.append(f"{len(audited)} members have an audit entry, there are {len(found['members'])}")
    if not all_members.keys() - members.keys():
        faults.append("no member was created after the backup began: it was not taken under load")
    return faults
