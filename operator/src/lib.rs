//! konstruct-operator
