"""One module per command, each with a `COMMAND`; imported when it is invoked."""
