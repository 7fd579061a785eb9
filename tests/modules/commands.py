"""Prints what is wrong with the `aws` commands of Markdown files: services, operations and options that AWS's API does not have, and
options that it requires and a command leaves out, and aliases of keys where it takes none. The last line is how many commands there
were."""

import pathlib
import re
import sys

import botocore.session
from botocore import xform_name

# The command line's own, not the API's.
OWN = {"query", "output"}

session = botocore.session.get_session()
count = 0
for path in map(pathlib.Path, sys.argv[1:]):
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for command in re.findall(r"(?m)(?:^ *|`|\$\()(aws [a-z0-9-]+ [a-z][^`\n]+)", text):
        count += 1
        words = command.split()
        service, operation = words[1:3]
        given = set(re.findall(r" --([a-z0-9-]+)", command))
        try:
            model = session.get_service_model(service)
            if operation == "wait":
                waiters = session.create_client(service, region_name="us-east-1").waiter_names
                waiter = words[3].replace("-", "_")
                if waiter not in waiters:
                    raise LookupError(f"no waiter {waiter}")
                continue
            operations = {xform_name(name, "-"): name for name in model.operation_names}
            shape = model.operation_model(operations[operation]).input_shape
        except Exception as error:
            print(f"{path.name}: {command}: {error!r}")
            continue
        members = {xform_name(name, "-") for name in shape.members}
        unknown = {name for name in given - OWN if name not in members and name.removeprefix("no-") not in members}
        # In running text a command may stand without its options.
        missing = {xform_name(name, "-") for name in shape.required_members} - given if given else set()
        key = shape.members.get("KeyId")
        if "alias/" in command and key and "alias" not in key.documentation.lower():
            print(f"{path.name}: {command}: {operation} takes no alias")
        if unknown or missing:
            print(f"{path.name}: {command}: unknown {sorted(unknown)}, missing {sorted(missing)}")
print(count)
