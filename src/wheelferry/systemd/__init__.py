"""Units for systemd: an instance per user whose cache is served.

`units/` has them as templates; what depends on the machine is put in by `render`.
"""
