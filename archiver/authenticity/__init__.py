"""What the signatures in a message were worth when it was archived: DKIM (RFC 6376) and ARC (RFC 8617).

`checker.Checker` is the way in. The rest, from the bytes up: fields (header fields, tag lists), canonical (what gets
hashed), signature (one signature field), chain (the sets of ARC), record (the public key in DNS), lookup (asking DNS).

Everything is read in time linear in its size, for the sender of a message may be an enemy: a run of 40 KB of spaces
keeps dkimpy's regular expressions busy for two seconds, and 1 MB for twenty minutes. dkimpy is the judge in the tests.
"""
