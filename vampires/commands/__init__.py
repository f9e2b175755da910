"""doit sub-commands that talk to a person; found by doit through entry points."""
