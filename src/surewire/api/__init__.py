"""Byte streams for applications: blocking and asyncio, over the native transport."""
