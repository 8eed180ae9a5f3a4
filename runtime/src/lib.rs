//! konstruct-runtime
