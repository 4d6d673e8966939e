"""The work that is timed: contenders whose outputs have been compared byte for byte."""
