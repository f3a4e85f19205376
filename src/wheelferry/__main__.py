"""`python -m wheelferry`."""

from wheelferry.cli.app import main

main()
