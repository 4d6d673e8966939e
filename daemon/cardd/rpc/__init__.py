"""The gRPC edge: who calls, whether they may, convert, call, convert; every error in one table."""
