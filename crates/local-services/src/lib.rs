//! konstruct-local-services
