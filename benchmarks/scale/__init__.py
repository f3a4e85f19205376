"""A store that has been promoted to for years: what it takes to look at all of it.

    shelf: the store -+
    work: one operation in a process -+-> samples -> tables
    places: a folder, or a mount -+

What compares with an operation reads the same and concludes nothing.
"""
