#!/usr/bin/env python
"""Kairos ID's command line: `python manage.py help` lists every command."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError


def main() -> None:
    """Run a command; what an operator can mend is one clear line on standard error, not a stack trace."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")
    if sys.argv[1:2] == ["doctor"]:
        # Its task begins where no command can be loaded: with settings that refuse to start.
        from idp.operations.management.commands.doctor import without_settings

        status = without_settings(sys.argv[2:])
        if status is not None:
            sys.exit(status)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[0]
        sys.exit(f"The database cannot do this: {reason} (is it running, and is `manage.py migrate` done?)")


if __name__ == "__main__":
    main()
