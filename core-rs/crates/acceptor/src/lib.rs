//! A Unix-socket acceptor that names callers by kernel credentials.
