"""What would Wheelferry save here: the share measured, and a fleet's day worked out.

`run` is the whole of it, in this order: what a job needs (`job`), the store itself and a
folder of our own on the share (`yard`, in the process that works on the store; `trees`
and `archive` have the other ways), the measurements (`measure`), then pure: what each way
costs (`ways`), what a day of the fleet costs (`forecast`), and the verdict (`verdict`).
"""
