"""Whole conversations in virtual time: sessions, applications and a network put together."""
