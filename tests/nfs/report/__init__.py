"""The job of the original report: four sdists with real builds, on the rig's machines.

`needs` is what a machine must have to build them, `inputs` the files from a package
index, `index` serves them in the guest, `jobs` runs uv there and reads its log.
"""
