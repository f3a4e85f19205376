"""Hooks for CI systems: two scripts for all of them, and where each has a place for one.

`scripts/` has the scripts as templates, `snippets/` what goes into files of a CI system;
what depends on the machine is put in by `render`.
"""
