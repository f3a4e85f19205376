"""Zstandard, from the standard library where it is there (Python 3.14 and later)."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CompressionParameter = zstd.CompressionParameter
DecompressionParameter = zstd.DecompressionParameter
ZstdDecompressor = zstd.ZstdDecompressor
ZstdError = zstd.ZstdError
compress = zstd.compress
get_frame_info = zstd.get_frame_info
zstd_version = zstd.zstd_version

__all__ = [
    "CompressionParameter",
    "DecompressionParameter",
    "ZstdDecompressor",
    "ZstdError",
    "compress",
    "get_frame_info",
    "zstd",
    "zstd_version",
]
