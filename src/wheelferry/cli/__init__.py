"""The command line: one thin module per command, one door to the screen."""
