//! konstruct-testkit
