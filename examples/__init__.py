"""Sample mail, a mail server of its own, and the demo that uses both."""
