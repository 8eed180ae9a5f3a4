//! Every field of the spec lands somewhere, and every mistake is said.
