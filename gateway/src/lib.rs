//! konstruct-gateway
