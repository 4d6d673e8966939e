//! The management tree: paths, layers by source, three-source merge, difference, provenance.
