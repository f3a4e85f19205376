"""Exit codes: what a script may rely on."""

from typing import Final

DONE: Final = 0
USAGE: Final = 2
PARTLY_DONE: Final = 3
UNWELL: Final = 50
DOUBTFUL: Final = 51
UNEXPECTED: Final = 70
OUTPUT_LOST: Final = 74
INTERRUPTED: Final = 130

HELP: Final = """\
Exit codes: 0 done, or nothing to do; 2 wrong usage or configuration; 3 a budget of gc
that cannot be reached; 10-13 the local cache; 20-27 the store; 30-34 damage; 40-43 services and hooks; 50-51 what doctor found;
60 a project's lock; 70 a fault of wheelferry's own; 74 stdout could not be written; 130
interrupted.  Treat any other code as a failure.  docs/cli.md has the table."""

HELP_FAIL_OPEN: Final = """\
Exit codes: 0, also when something failed: one warning says so, and the job can go on
without.  With --strict: 3 partly done; 2 configuration; 10-13 the local cache; 20-27
the store; 30-34 damage; 60 a project's lock; 70 a fault of wheelferry's own; 74 stdout
could not be written.  Always: 2 wrong usage; 130 interrupted.  Treat any other code as
a failure.  docs/cli.md has the table."""
