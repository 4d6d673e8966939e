"""The process: configuration, logging, wiring, life and death."""
