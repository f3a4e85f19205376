"""From facts to findings, one module for each place that is looked at.

Pure.  Each has the facts it needs as a frozen value, and a function that judges them.
A message says what is, a meaning what follows for jobs, a hint what to type.
"""
