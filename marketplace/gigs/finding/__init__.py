"""Finding gigs: what is searched for, what is open, how many of what kind there are, and the list itself."""
