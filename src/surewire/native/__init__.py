"""The native transport: a sealed, bidirectional byte stream between two hosts over UDP."""
