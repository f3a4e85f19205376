"""A two-tier cache synchronizer for uv: a local cache per runner, a store on NFS."""

__version__ = "0.1.0"
