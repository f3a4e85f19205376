"""Find facts out, and judge nothing.

What cannot be found out is a value too.  A look raises only what it did not expect; then
its checks are reported as not made.
"""
