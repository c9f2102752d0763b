"""What stands in a backup, and whether it is of one moment."""
import json


def tables(path):
    """The rows of each table, as dictionaries."""
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


def moment_faults(path, before, everybody):
    """What a backup has that no moment had; `before` was answered before it began, `everybody` in the end."""
    faults, found = [], tables(path)
    members = {row["id"]: row for row in found["members"] if row["deleted_at"] is None}
    faults += [f"{before[member]} is not in it" for member in sorted(before.keys() - members.keys())[:3]]
    for customer in found["customers"]:
        there = sum(row["customer_id"] == customer["id"] for row in members.values())
        if customer["deleted_at"] is None and customer["member_count"] != there:
            faults.append(f"a customer has {there} members and counts {customer['member_count']}")
    counted = sum(row["total"] for row in found["tallies"] if row["subject"] == "members")
    if counted != len(members):
        faults.append(f"there are {len(members)} members, and {counted} are counted")
    told = {row["subject_id"] for row in found["audit_entries"] if row["action"] == "member.created"}
    if told != {row["id"] for row in found["members"]}:
        faults.append(f"{len(told)} members were written down, of {len(found['members'])}")
    if not everybody.keys() - members.keys():
        faults.append("nothing was written after it began: it was not taken under load")
    return faults
