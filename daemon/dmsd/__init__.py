"""The management side: DM server, bootstrapping server (GBA) and their registry.

``session`` and ``convergence`` are the DM server without I/O; ``bsf`` and ``naf`` the two ends of
the bootstrapped trust; ``registry`` what is remembered; ``http`` and ``operator`` the doors.
"""
