//! The Python door: PyO3 classes and functions over the pure crates, and nothing else.
