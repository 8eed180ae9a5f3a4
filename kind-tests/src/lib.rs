//! konstruct-kind-tests
