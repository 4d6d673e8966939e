"""The process: configuration, logging, wiring, life and death."""

import os

# gRPC's core, which reads this when it is loaded, would write into our log what callers send it,
# byte for byte.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
