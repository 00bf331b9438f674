"""Messages written for the tests: ordinary ones and hostile ones, as functions that return raw bytes."""
