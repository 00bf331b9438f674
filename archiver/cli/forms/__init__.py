"""The forms of export as the command line knows them: a file a form, a row in the table."""
