"""The MCP server: its tools, their typed results, and the threads in which the verbs work."""
