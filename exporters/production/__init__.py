"""A production: messages and what lies in them as numbered documents that another party's lawyer can load and check."""
