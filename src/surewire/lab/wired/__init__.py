"""Real hosts in network namespaces, a kernel NAT, and an emulated wire between them (Linux)."""
