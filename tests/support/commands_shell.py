"""`python manage.py` in a shell, in the hands of a process that has imported everything (commands.py): `commands_shell.py SOCKET ARGUMENT…`."""

import json
import socket
import sys

with socket.socket(socket.AF_UNIX) as there:
    there.connect(sys.argv[1])
    with there.makefile("rw") as line:
        line.write(json.dumps({"arguments": sys.argv[2:], "given": sys.stdin.read()}) + "\n")
        line.flush()
        status, output, errors = json.loads(line.readline())
sys.stdout.write(output)
sys.stderr.write(errors)
sys.exit(status)
