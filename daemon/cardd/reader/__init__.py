"""PC/SC: readers watched, cards identified and shared. The only importer of pyscard."""
