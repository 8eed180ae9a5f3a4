//! konstruct-store
