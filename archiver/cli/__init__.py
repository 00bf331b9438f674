"""The command line: one table of commands (`main`), a file a command."""
