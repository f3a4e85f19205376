"""The page of `wheelferry report`: one HTML file that asks nobody for anything.

It has no script and no address but its own: charts are SVG in the page, and its policy
(Content-Security-Policy) lets a browser load and run nothing.  What is in it comes from a
store, so `markup` escapes all text; nothing else makes tags.
"""
