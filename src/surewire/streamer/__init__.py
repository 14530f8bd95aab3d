"""The rules of a Streamer connection; I/O is handed in."""
